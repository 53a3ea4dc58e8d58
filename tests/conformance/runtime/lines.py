"""Every line of the contract's first section that can be seen from inside a container or beside it, and what shows it.

`scripts/conformance` writes docs/conformance.md from this; a test fails when it is stale, or names a test that is not
there. A line without a test says why in `differs`.
"""

from __future__ import annotations

from dataclasses import dataclass

_HERE = "tests/conformance/runtime"
_ESCAPES = f"{_HERE}/test_escapes.py"
_ENVIRONMENT = f"{_HERE}/test_environment.py"
_FILES = f"{_HERE}/test_filesystem.py"
_LIFE = f"{_HERE}/test_lifecycle.py"
_ENGINE = "tests/engine/oci/test_engine.py"
_IMAGES = "tests/engine/images"
_METADATA, _INSIDE = "tests/apis/metadata/test_server.py", "tests/e2e/test_inside.py"
_ROUTER = "tests/router"
_CAPACITY = "tests/controllers/test_capacity.py"
_VOLUMES = "tests/engine/oci/test_volumes.py"
_MOUNTED = "tests/engine/oci/test_mounted.py"
_NFS = "tests/engine/oci/test_nfs.py"
_E2E_VOLUMES = "tests/e2e/test_volumes.py"
_VOLUME_MODEL = "tests/model/test_volume.py"
_VOLUME_RULES = "tests/model/test_volume_rules.py"


@dataclass(frozen=True, slots=True)
class Line:
    """`tests` are `file::name`. `differs`: what homerun does otherwise, or lacks, and why."""

    section: str
    says: str
    tests: tuple[str, ...] = ()
    differs: str = ""


LINES = [
    Line(
        "1.1",
        "a list of several architectures has one for this machine",
        (f"{_IMAGES}/test_store.py::test_of_a_multi_architecture_image_ours_is_taken",),
    ),
    Line(
        "1.1",
        "another architecture is refused",
        (f"{_IMAGES}/test_store.py::test_an_image_for_another_architecture_names_both",),
        "on arm64, images for arm64",
    ),
    Line(
        "1.1",
        "OCI images, and Docker's of both schemas",
        (
            f"{_IMAGES}/test_store.py::test_every_transport_gives_the_same_files",
            f"{_IMAGES}/test_store.py::test_an_old_manifest_without_configuration_comes_in",
        ),
    ),
    Line(
        "1.1",
        "layers compressed with zstd",
        (f"{_IMAGES}/test_hostile.py::test_layers_compressed_with_zstandard_come_in",),
    ),
    Line(
        "1.1",
        "imported at deploy, no pull at start",
        (f"{_IMAGES}/test_store.py::test_a_pinned_image_needs_its_source_no_more",),
    ),
    Line(
        "1.1",
        "a tag is resolved once",
        (f"{_IMAGES}/test_store.py::test_a_name_is_resolved_anew_and_the_old_image_stays",),
    ),
    Line(
        "1.1",
        "file names are UTF-8, or the deployment fails",
        (f"{_IMAGES}/test_hostile.py::test_file_names_that_are_not_utf_8_are_refused",),
    ),
    Line(
        "1.2",
        "services: PORT, K_SERVICE, K_REVISION, K_CONFIGURATION",
        (f"{_ENVIRONMENT}::test_1_2_port_and_k_variables_of_a_service",),
    ),
    Line("1.2", "jobs: the five CLOUD_RUN_ variables, no PORT", (f"{_ENVIRONMENT}::test_1_2_variables_of_a_job",)),
    Line(
        "1.2",
        "worker pools: the two CLOUD_RUN_WORKER_POOL variables, no K_",
        (f"{_ENVIRONMENT}::test_1_2_variables_of_a_worker_pool",),
    ),
    Line("1.2", "these names cannot be set", (f"{_ENVIRONMENT}::test_1_2_reserved_names_are_refused",)),
    Line(
        "1.2",
        "the image's variables, those of the template win",
        (f"{_ENVIRONMENT}::test_1_2_the_images_variables_and_the_users_win_over_them",),
    ),
    Line("1.2", "no $(VAR) is replaced", (f"{_ENVIRONMENT}::test_1_2_no_references_to_variables",)),
    Line(
        "1.2",
        "of two with one name the last wins",
        ("tests/model/test_container.py::test_the_last_of_two_variables_of_one_name_wins",),
    ),
    Line(
        "1.2",
        "1,000 variables of 32 KiB",
        ("tests/engine/oci/test_program.py::test_more_than_a_program_can_be_given_is_refused",),
        "accepted by the API; together no more than the kernel gives a program (2 MiB by default), which is then said",
    ),
    Line(
        "1.3",
        "it listens on 0.0.0.0, not on 127.0.0.1",
        (f"{_ENVIRONMENT}::test_1_3_it_must_listen_on_all_addresses",),
    ),
    Line(
        "1.3", "at PORT, which may be another than 8080", (f"{_ENVIRONMENT}::test_1_3_another_port_is_told_and_asked",)
    ),
    Line("1.3", "one port, named http1 or h2c", (f"{_ENVIRONMENT}::test_1_3_one_port_named_http1_or_h2c",)),
    Line("1.3", "stdin is at its end", (f"{_ENVIRONMENT}::test_1_3_stdin_is_at_its_end",)),
    Line(
        "1.3",
        "an answer that sets a cookie is private",
        (f"{_ROUTER}/test_response.py::test_a_cookie_makes_it_private",),
    ),
    Line("1.3", "TLS ends at the platform", ("tests/e2e/test_tls.py",)),
    Line("1.4", "Host, Forwarded, X-Forwarded-For and -Proto", (f"{_ENVIRONMENT}::test_1_4_host_and_client",)),
    Line(
        "1.4",
        "the client's own X-Forwarded-For is continued",
        (f"{_ENVIRONMENT}::test_1_4_what_the_client_says_of_itself_comes_first",),
    ),
    Line(
        "1.4",
        "X-Cloud-Trace-Context and traceparent",
        (f"{_ENVIRONMENT}::test_1_4_each_request_has_a_trace_in_both_notations",),
    ),
    Line(
        "1.4",
        "a token's signature is removed once it was checked",
        (f"{_ENVIRONMENT}::test_1_4_the_signature_of_a_token_does_not_reach_the_container",),
    ),
    Line(
        "1.4",
        "X-Serverless-Authorization is checked instead",
        (f"{_ENVIRONMENT}::test_1_4_with_the_other_header_the_applications_own_stays_as_it_is",),
    ),
    Line("1.5", "the root is writable", (f"{_FILES}::test_1_5_the_root_is_writable_and_in_memory",)),
    Line(
        "1.5",
        "what is written counts as memory, and is lost with the instance",
        (f"{_FILES}::test_1_5_what_is_written_counts_as_memory_and_is_lost_with_the_instance",),
    ),
    Line("1.5", "nobody else sees it", (f"{_ENGINE}::test_what_is_written_is_seen_by_nobody_else",)),
    Line(
        "1.5",
        "/dev, /proc and /sys are not writable",
        (f"{_FILES}::test_1_5_proc_and_sys_are_not_writable", f"{_ESCAPES}::test_no_file_of_the_kernel_can_be_written"),
    ),
    Line("1.5", "no mounts from inside", (f"{_ESCAPES}::test_nothing_can_be_mounted_or_unmounted",)),
    Line(
        "1.5",
        "25,000 file descriptors",
        (f"{_FILES}::test_1_5_25000_file_descriptors", f"{_ESCAPES}::test_descriptors_have_an_end"),
        "for each process, not for all of an instance together",
    ),
    Line(
        "1.5",
        "no setuid, no more capabilities",
        (
            f"{_FILES}::test_1_5_no_setuid_and_no_more_capabilities",
            f"{_ESCAPES}::test_setuid_programs_and_file_capabilities_give_nothing",
        ),
    ),
    Line("1.5", "no eBPF", (f"{_ESCAPES}::test_the_kernel_cannot_be_changed_nor_its_larger_doors_be_used",)),
    Line("1.5", "no adjtimex", (f"{_ESCAPES}::test_no_clock_can_be_set",)),
    Line("1.5", "a user whom the image does not know is root", (f"{_ENGINE}::test_an_unknown_user_is_root",)),
    Line(
        "1.5",
        "user, groups and working directory are the image's",
        (
            f"{_ENGINE}::test_user_and_working_directory_come_from_the_image",
            f"{_FILES}::test_1_5_the_working_directory_comes_from_the_image",
            f"{_FILES}::test_1_5_it_is_root_unless_the_image_says_otherwise",
        ),
    ),
    Line("1.5", "it is the first process", (f"{_FILES}::test_1_5_it_is_the_first_process",)),
    Line("1.5", "the product's name is Google Compute Engine", (), "it is the host's: /sys is the kernel's, not ours"),
    Line(
        "1.6",
        "second generation: all of Linux, with cgroups",
        (f"{_FILES}::test_1_6_it_has_cgroups_of_its_own_to_read_limits_from",),
    ),
    Line(
        "1.6",
        "first generation: gVisor",
        (),
        "stored and handed back; containers run as those of the second generation",
    ),
    Line("1.7", "a request waits for the start", (f"{_LIFE}::test_1_7_a_request_waits_for_the_start",)),
    Line("1.7", "SIGTERM, 10 s later SIGKILL", (f"{_LIFE}::test_1_7_sigterm_then_sigkill",)),
    Line("1.7", "out of memory: the instance ends, 500", (f"{_LIFE}::test_1_7_out_of_memory_is_500",)),
    Line(
        "1.7",
        "a container that exits takes the instance with it",
        (f"{_LIFE}::test_1_7_a_crash_costs_one_request_and_the_next_one_is_a_cold_start",),
    ),
    Line(
        "1.7",
        "idle instances are kept for up to 15 minutes",
        ("tests/e2e/test_scaling.py",),
        "5 by default: `--idle-timeout`",
    ),
    Line("1.7", "CPU as the billing says", ("tests/e2e/test_cpu.py",)),
    Line("1.8", "exit code 0 is success", (f"{_LIFE}::test_1_8_exit_0_is_success",)),
    Line("1.8", "another is failure", (f"{_LIFE}::test_1_8_anything_else_is_failure_and_the_code_is_kept",)),
    Line("1.8", "a signal is none of the codes", (f"{_LIFE}::test_1_8_a_signal_is_told_from_a_code",)),
    Line("1.8", "timeout: SIGTERM, then SIGKILL", (f"{_LIFE}::test_1_8_the_timeout_ends_an_attempt_with_sigterm",)),
    Line("1.8", "each attempt is counted", (f"{_LIFE}::test_1_8_retries_count_up",)),
    Line("1.8", "out of memory is failure", ("tests/e2e/test_job.py::test_a_task_over_its_memory_limit_says_so",)),
    Line(
        "1.9",
        "one instance by default, none at 0, no URL",
        (f"{_LIFE}::test_1_9_one_instance_by_default_and_none_at_zero",),
    ),
    Line(
        "1.9",
        "a startup probe if wanted",
        ("tests/controllers/test_worker_pool.py::test_a_startup_probe_decides_when_there_is_one",),
    ),
    Line(
        "1.11",
        "startup: HTTP, TCP, gRPC; without one TCP at the port for 240 s",
        (
            "tests/engine/oci/test_probes.py",
            "tests/model/test_probe.py::test_a_probe_is_read_from_its_json",
            "tests/e2e/test_h2c.py::test_probes_ask_over_grpc",
        ),
        "asked more often than once in a period, so that nobody waits for one to pass",
    ),
    Line("1.11", "limits and defaults of each", ("tests/model/test_probe_rules.py",)),
    Line(
        "1.11",
        "liveness fails: SIGKILL, and another instance, after a while if that goes on",
        (
            "tests/e2e/test_probes.py::test_one_that_is_not_alive_any_more_is_replaced_and_nobody_in_the_queue_hears_of_it",
            f"{_CAPACITY}::test_instances_that_are_never_alive_for_long_start_at_longer_and_longer_intervals",
        ),
    ),
    Line(
        "1.11",
        "readiness fails: nothing new until it passes twice",
        (
            "tests/e2e/test_probes.py::test_one_that_is_not_ready_ends_what_it_has_and_gets_nothing_new_until_it_is",
            "tests/contract/test_engine.py::test_an_instance_that_is_not_ready_lives_and_says_when_it_is_again",
        ),
    ),
    Line(
        "1.11",
        "the platform's words in the log",
        (
            "tests/meter/test_system_logs.py::test_probes_in_the_words_of_cloud_run",
            f"{_CAPACITY}::test_a_start_that_ends_before_its_probe_passes_is_told_in_the_words_of_cloud_run",
        ),
    ),
    Line(
        "1.11",
        "the deployment's check can be left out",
        ("tests/gcloud/test_deploy.py", "tests/controllers/test_revision.py"),
    ),
    Line(
        "1.12",
        "401, 403: no token, or not a good one",
        (
            "tests/e2e/test_identity.py::test_a_private_service_from_no_token_to_the_right_one",
            "tests/e2e/test_identity.py::test_an_expired_token",
        ),
    ),
    Line("1.12", "404: nobody has this host", (f"{_LIFE}::test_1_12_404_for_a_host_that_nobody_has",)),
    Line("1.12", "413: more than 32 MiB", (f"{_LIFE}::test_1_12_413_for_more_than_32_mib",)),
    Line(
        "1.12",
        "429: no instance in time",
        (f"{_ROUTER}/test_activator.py::test_waiting_ends_with_429_at_the_queue_deadline",),
    ),
    Line(
        "1.12",
        "500: an answer of more than 32 MiB that is not streamed",
        (f"{_ROUTER}/test_upstream.py::test_an_answer_over_the_limit_gets_500_unless_it_is_streamed",),
        "no limit by default: `--response-limit`",
    ),
    Line("1.12", "503: malformed, or the connection broke", (f"{_LIFE}::test_1_12_503_for_no_answer",)),
    Line("1.12", "504, and the instance goes on", (f"{_LIFE}::test_1_12_504_and_the_instance_goes_on",)),
    Line("1.14", "every path", (f"{_METADATA}::test_every_path", f"{_INSIDE}::test_what_the_instance_is")),
    Line(
        "1.14",
        "the header is required, and sent back",
        (f"{_METADATA}::test_what_a_fetch_for_a_stranger_looks_like_is_refused",),
    ),
    Line("1.14", "detection, without it", (f"{_METADATA}::test_detection_needs_no_header",)),
    Line("1.14", "?recursive=true, ?alt=", (f"{_METADATA}::test_recursion_and_json",)),
    Line(
        "1.14",
        "access tokens of the service account",
        (
            f"{_METADATA}::test_an_access_token_is_good_for_the_api",
            f"{_INSIDE}::test_googles_library_finds_project_account_and_both_kinds_of_tokens",
            f"{_INSIDE}::test_jobs_and_worker_pools_have_an_account_of_their_own",
        ),
        "good for homerun's API, not for Google's",
    ),
    Line(
        "1.14",
        "ID tokens of the service account",
        (
            f"{_METADATA}::test_an_id_token_for_an_audience",
            f"{_INSIDE}::test_a_service_calls_another_by_its_url_with_a_token_of_its_own",
        ),
        "`iss` is homerun, and so are the keys",
    ),
    Line("1.14", "what is not there", (f"{_METADATA}::test_what_is_not_there",), "`instance/name` is"),
    Line("1.15", "idle connections to the outside end after 10 or 20 minutes", (), "they do not end"),
    Line("1.16", "some paths are reserved", (), "none is"),
    Line(
        "13.2",
        "in memory: shared by the containers of an instance, its own; counts as memory",
        (
            f"{_VOLUMES}::test_containers_of_an_instance_share_a_volume",
            f"{_MOUNTED}::test_memory_counts_as_memory_and_a_disk_does_not",
        ),
    ),
    Line(
        "13.2",
        "at most its limit and the memory of all containers, half of that if nobody says",
        (f"{_VOLUME_MODEL}::test_the_size_of_an_empty_folder", f"{_MOUNTED}::test_a_size_is_the_end"),
    ),
    Line(
        "13.2",
        "on disk: ends at its size, gone with the instance",
        (
            f"{_MOUNTED}::test_a_size_is_the_end",
            f"{_E2E_VOLUMES}::test_what_belongs_to_an_instance_goes_with_it_and_what_does_not_stays",
        ),
        "10 GiB if nobody says",
    ),
    Line(
        "13.2",
        "files of secrets: 0444 or as told under a umask of 0222, for every user, read-only",
        (
            f"{_VOLUME_MODEL}::test_each_kind",
            f"{_MOUNTED}::test_a_user_of_the_image_reads_secrets_and_writes_elsewhere",
        ),
    ),
    Line(
        "13.2",
        "buckets: shared by all instances, mounted at the start, which fails without",
        (
            f"{_E2E_VOLUMES}::test_a_job_leaves_its_results_in_a_bucket_whoever_its_user_is",
            f"{_E2E_VOLUMES}::test_a_deployment_that_mounts_what_it_may_not_says_why",
        ),
        "folders of this machine; of gcsfuse's options only-dir and o=ro have an effect",
    ),
    Line(
        "13.2",
        "NFS: no locks; a mount that fails is a start that fails",
        (f"{_NFS}::test_what_is_asked", f"{_NFS}::test_a_server_that_says_nothing_is_not_waited_for_long"),
    ),
    Line("13.2", "Cloud SQL: sockets in /cloudsql", (), "there is none: the folder is empty, and the log says so"),
    Line("13.2", "a part of it (subPath)", (f"{_VOLUMES}::test_a_part_of_it", f"{_VOLUMES}::test_one_file_of_it")),
    Line(
        "13.2",
        "no mounts in mounts, nor over the system; buckets and NFS need the second generation",
        (f"{_VOLUME_RULES}::test_mounts", f"{_VOLUME_RULES}::test_network_volumes_need_the_second_generation"),
    ),
    Line("13.2", "what the image has there is hidden", (f"{_VOLUMES}::test_it_hides_what_the_image_has_there",)),
]
