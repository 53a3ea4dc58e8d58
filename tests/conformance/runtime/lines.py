"""Every line of the contract (§1, §2.4, §12, §13) that can be seen from inside a container or beside it, and its tests.

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
_CONTAINER_RULES, _TEMPLATE_RULES = "tests/model/test_container_rules.py", "tests/model/test_template_rules.py"
_REAL_NFS = "tests/engine/oci/test_nfs_server.py"
_CONTRACT = "tests/contract/test_engine.py"
_ALLOTMENTS, _CPU = "tests/controllers/test_allotments.py", "tests/e2e/test_cpu.py"
_SECRETS, _SECRET_FILES = "tests/controllers/test_secrets.py", "tests/controllers/test_secret_files.py"
_LIVES, _SEVERAL = "tests/engine/oci/test_lives.py", "tests/e2e/test_containers.py"
_LOGS, _ROWS, _REQUESTS = "tests/e2e/test_logs.py", "tests/meter/test_log_rows.py", "tests/meter/test_requests.py"
_GATE = f"{_ROUTER}/test_gate.py"
_GCLOUD = "tests/gcloud/test_deploy.py"


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
    Line(
        "1.2",
        "PORT is for the container that takes requests alone",
        (
            f"{_ENVIRONMENT}::test_1_2_port_is_for_the_container_that_takes_requests_alone",
            "tests/model/test_revision.py::test_a_service_finds_its_variables",
        ),
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
        "nor others that begin with X_GOOGLE_; a secret's name is given once",
        (f"{_CONTAINER_RULES}::test_a_bad_one_gets_exactly_one_at_its_field",),
    ),
    Line("1.2", "functions: FUNCTION_TARGET, FUNCTION_SIGNATURE_TYPE", (), "no functions: an image sets them itself"),
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
    Line(
        "1.3",
        "of several containers exactly one has the port",
        (f"{_TEMPLATE_RULES}::test_there_may_be_ten_with_names_of_their_own_and_one_takes_the_requests",),
    ),
    Line(
        "1.3",
        "within four minutes of its start, and all containers well",
        (
            "tests/model/test_probe.py::test_the_limit_of_a_start",
            f"{_CONTRACT}::test_an_instance_that_does_not_become_ready_in_time_is_killed",
            f"{_CONTRACT}::test_it_is_ready_when_all_its_containers_are_well",
        ),
    ),
    Line(
        "1.3",
        "jobs need not listen",
        (f"{_CONTRACT}::test_a_task_is_ready_as_soon_as_it_runs_and_exited_comes_last",),
    ),
    Line(
        "1.3",
        "names and values of headers are what RFC 7230 allows",
        (
            f"{_ROUTER}/test_headers.py::test_what_is_refused",
            f"{_ROUTER}/test_response.py::test_what_is_wrong_is_named",
        ),
    ),
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
    Line(
        "1.4",
        "what callers send besides reaches the container as it is: X-Goog-, X-CloudScheduler-, ce-",
        (f"{_ENVIRONMENT}::test_1_4_headers_of_callers_come_as_they_are",),
    ),
    Line(
        "1.4",
        "HTTP probes come from GoogleHC",
        ("tests/engine/oci/test_probes.py::test_an_http_probe_passes_with_the_first_good_answer",),
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
    Line(
        "1.6",
        "it is said where there is no first generation",
        ("tests/controllers/test_revision.py::test_a_revision_says_that_there_is_no_first_generation",),
    ),
    Line(
        "1.6",
        "jobs and worker pools are of the second generation",
        (f"{_LIFE}::test_1_6_jobs_and_worker_pools_are_of_the_second_generation",),
    ),
    Line("1.7", "a request waits for the start", (f"{_LIFE}::test_1_7_a_request_waits_for_the_start",)),
    Line(
        "1.7",
        "for 3.5 times as long as starts take, 10 s at least",
        (
            f"{_ROUTER}/test_activator.py::test_waiting_ends_with_429_at_the_queue_deadline",
            f"{_ROUTER}/test_activator.py::test_a_longer_startup_moves_the_deadline_of_those_who_wait",
        ),
    ),
    Line(
        "1.7",
        "requests in flight end before their instance does, new ones go elsewhere",
        (
            f"{_CAPACITY}::test_a_busy_instance_stays_and_an_idle_one_goes_after_it_was_drained",
            f"{_ROUTER}/test_activator.py::test_a_draining_instance_ends_its_requests_and_gets_no_new_ones",
        ),
    ),
    Line(
        "1.7",
        "SIGTERM to all containers, 10 s later SIGKILL",
        (
            f"{_LIFE}::test_1_7_sigterm_to_all_containers",
            f"{_CONTRACT}::test_a_container_that_ignores_sigterm_is_killed_after_the_grace_period",
        ),
        "whether SIGTERM is trapped or not: the first generation would end at once",
    ),
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
        "CPU all the time, paid all the time",
        ("tests/model/test_worker_pool.py::test_its_cpu_is_always_there_and_always_paid",),
    ),
    Line(
        "1.9",
        "a startup probe if wanted",
        ("tests/controllers/test_worker_pool.py::test_a_startup_probe_decides_when_there_is_one",),
    ),
    Line(
        "1.10",
        "containers find each other by name, at 127.0.0.1",
        (f"{_ENVIRONMENT}::test_1_10_containers_find_each_other_by_name",),
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
        "readiness fails: nothing new until it passes twice, or as often as successThreshold says",
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
        "liveness and readiness wait for the start",
        (f"{_LIFE}::test_1_11_liveness_and_readiness_wait_for_the_start",),
    ),
    Line(
        "1.11",
        "a container without a name is called after its service",
        ("tests/model/test_revision.py::test_a_container_without_a_name_is_called_after_its_service",),
    ),
    Line(
        "1.11",
        "a deployment that fails says so in the platform's words",
        (f"{_LIFE}::test_1_11_a_deployment_that_fails_says_so_in_the_platforms_words",),
        "where the platform guesses what may be wrong, the cause that was found",
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
    Line(
        "1.12",
        "404: it is internal, and asked from outside",
        (f"{_GATE}::test_an_internal_service_does_not_exist_for_those_outside",),
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
    Line(
        "1.12",
        "503: the instance could not start",
        (
            f"{_ROUTER}/test_activator.py::test_a_failed_start_answers_those_who_wait_with_the_cause",
            f"{_ROUTER}/test_errors.py::test_texts_say_what_was_wrong",
        ),
    ),
    Line("1.12", "503: malformed, or the connection broke", (f"{_LIFE}::test_1_12_503_for_no_answer",)),
    Line("1.12", "504, and the instance goes on", (f"{_LIFE}::test_1_12_504_and_the_instance_goes_on",)),
    Line(
        "1.13",
        "the resource of a line: revision, job or worker pool",
        (
            f"{_LIFE}::test_1_13_a_line_is_an_entry_of_its_service_and_instance",
            f"{_ROWS}::test_a_line_of_a_service",
            f"{_ROWS}::test_a_line_of_a_task",
            f"{_ROWS}::test_a_line_of_a_worker_pool",
        ),
    ),
    Line(
        "1.13",
        "names of logs: stdout, stderr, requests, varlog/system",
        (
            f"{_ROWS}::test_a_line_of_a_service",
            f"{_REQUESTS}::test_a_request_reads_as_an_entry_of_its_service",
            "tests/meter/test_system_logs.py::test_entries_are_of_the_instance_and_in_the_log_of_the_system",
        ),
    ),
    Line("1.13", "audit logs", (), "none are written"),
    Line(
        "1.13",
        "labels: instanceId, execution, task, attempt, container",
        (f"{_ROWS}::test_a_line_of_a_task", f"{_ROWS}::test_a_line_of_one_of_several_containers"),
    ),
    Line(
        "1.13",
        "requests: httpRequest, trace, severity by status",
        (
            f"{_REQUESTS}::test_a_request_reads_as_an_entry_of_its_service",
            f"{_REQUESTS}::test_severity_is_by_status",
            f"{_LOGS}::test_an_application_s_line_has_the_trace_of_its_request",
        ),
    ),
    Line(
        "1.13",
        "a plain line is text of severity DEFAULT",
        (f"{_LIFE}::test_1_13_a_line_is_an_entry_of_its_service_and_instance",),
    ),
    Line(
        "1.13",
        "a line of JSON is structured, its special fields the entry's own",
        (
            f"{_LIFE}::test_1_13_a_line_of_json_is_structured",
            "tests/core/test_log_payload.py::test_fields_are_lifted_and_the_rest_is_the_payload",
        ),
    ),
    Line("1.13", "syslog at /dev/log", (f"{_LIFE}::test_1_13_what_is_sent_to_dev_log",)),
    Line("1.13", "files in /var/log", (), "not read: see [logs](logs.md)"),
    Line(
        "1.13",
        "an entry has 256 KiB at most",
        (f"{_ROWS}::test_lines_that_belong_together_are_one_text_of_the_first_one_s_time",),
    ),
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
        "2.4",
        "billed by request: CPU in a start, with requests and in the end, else next to none",
        (
            f"{_CPU}::test_cpu_comes_with_the_first_request_and_goes_with_the_last",
            f"{_ALLOTMENTS}::test_what_ends_has_its_cpu_and_keeps_it",
        ),
        "and while a probe asks",
    ),
    Line(
        "2.4",
        "billed by instance: CPU all its life",
        (f"{_CPU}::test_cpu_that_is_always_allocated_is_always_there",),
    ),
    Line(
        "2.4",
        "boost: about twice the CPU in a start and for 10 s after it",
        (
            "tests/core/test_allotment.py::test_the_boost_by_the_limit",
            f"{_ALLOTMENTS}::test_a_start_is_boosted_until_a_while_after_it",
            f"{_CONTRACT}::test_a_start_may_use_more_than_what_comes_after",
        ),
    ),
    Line(
        "2.4",
        "jobs and worker pools: CPU all the time",
        (
            "tests/model/test_container.py::test_a_job_takes_no_requests",
            "tests/model/test_worker_pool.py::test_its_cpu_is_always_there_and_always_paid",
        ),
    ),
    Line(
        "12",
        "a GPU: by limit and by node selector",
        (
            f"{_CONTAINER_RULES}::test_a_bad_one_gets_exactly_one_at_its_field",
            "tests/model/test_unsupported.py::test_each_use_is_found_with_its_own_path",
        ),
        "refused, with the field's path: there are none",
    ),
    Line("12", "its driver in /usr/local/nvidia, LD_LIBRARY_PATH", (), "no GPUs"),
    Line(
        "13.1",
        "variables: read when an instance starts, which fails without",
        (
            f"{_SECRETS}::test_latest_is_what_is_latest_when_an_instance_starts",
            f"{_SECRETS}::test_an_instance_that_cannot_have_its_secret_does_not_start",
        ),
    ),
    Line(
        "13.1",
        "a deployment checks that they may be read",
        (
            f"{_SECRETS}::test_without_the_role_nothing_is_deployed_and_the_message_says_how_to_grant_it",
            f"{_SECRET_FILES}::test_who_may_not_read_it_is_not_deployed",
        ),
    ),
    Line(
        "13.1",
        "files: `latest` is what is latest when they are opened",
        (
            "tests/e2e/test_secrets.py::test_files_of_a_running_instance_follow_what_is_latest",
            f"{_SECRET_FILES}::test_files_follow_latest_and_aliases_and_numbers_stay",
        ),
    ),
    Line(
        "13.1",
        "files are named by items, or like the secret",
        (
            f"{_SECRET_FILES}::test_a_secret_without_items_is_one_file_of_its_name",
            f"{_SECRET_FILES}::test_items_name_files_versions_and_modes",
        ),
    ),
    Line(
        "13.1",
        "it is the service account that reads",
        (f"{_SECRETS}::test_it_is_the_service_account_of_the_template_that_reads",),
    ),
    Line(
        "13.1",
        "of this project by id, of others by full name or v1's alias",
        (f"{_SECRETS}::test_a_secret_by_its_full_name_an_alias_and_of_another_project",),
    ),
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
    Line(
        "13.2",
        "NFS: of a real server, where the kernel has NFS and one is installed",
        (
            f"{_REAL_NFS}::test_what_one_instance_writes_the_server_has_and_another_instance_reads",
            f"{_REAL_NFS}::test_one_that_may_only_be_read",
            f"{_REAL_NFS}::test_a_server_that_is_gone_costs_the_start_and_leaves_nothing",
        ),
        "skipped elsewhere; not seen to pass yet",
    ),
    Line("13.2", "Cloud SQL: sockets in /cloudsql", (), "there is none: the folder is empty, and the log says so"),
    Line("13.2", "a part of it (subPath)", (f"{_VOLUMES}::test_a_part_of_it", f"{_VOLUMES}::test_one_file_of_it")),
    Line(
        "13.2",
        "no mounts in mounts, nor over the system; buckets and NFS need the second generation",
        (f"{_VOLUME_RULES}::test_mounts", f"{_VOLUME_RULES}::test_network_volumes_need_the_second_generation"),
    ),
    Line("13.2", "what the image has there is hidden", (f"{_VOLUMES}::test_it_hides_what_the_image_has_there",)),
    Line(
        "13.3",
        "ten containers at most",
        (f"{_TEMPLATE_RULES}::test_there_may_be_ten_with_names_of_their_own_and_one_takes_the_requests",),
    ),
    Line(
        "13.3",
        "dependsOn: begins when those are well, or run if nobody asks them",
        (
            f"{_SEVERAL}::test_a_service_begins_after_its_sidecar_and_finds_it_on_localhost",
            f"{_CONTRACT}::test_a_container_begins_when_those_that_it_depends_on_are_well",
        ),
    ),
    Line(
        "13.3",
        "the end of any is that of the instance",
        (f"{_SEVERAL}::test_the_end_of_a_sidecar_is_that_of_the_instance_and_the_next_request_starts_another",),
    ),
    Line(
        "13.3",
        "jobs: the end of the main one is, and of any that fails",
        (f"{_SEVERAL}::test_a_task_ends_with_its_main_container_and_fails_with_any",),
    ),
    Line(
        "13.3",
        "limits are for each container, their sum is the instance's",
        (
            f"{_LIVES}::test_each_has_limits_of_its_own_and_says_when_it_is_over_them",
            "tests/model/test_container.py::test_an_instance_is_the_sum_of_its_containers",
        ),
    ),
    Line(
        "13.4",
        "all, internal, none; before identity; 404",
        (
            f"{_GATE}::test_an_internal_service_does_not_exist_for_those_outside",
            f"{_GATE}::test_a_closed_service_exists_for_nobody",
            f"{_GATE}::test_ingress_comes_before_identity",
        ),
        "internal is this machine's instances and schedules",
    ),
    Line(
        "13.5",
        "connectors and network interfaces",
        (f"{_GCLOUD}::test_what_one_machine_has_no_use_for_is_kept_and_cleared",),
        "stored and handed back: everything goes out through the machine's own network",
    ),
    Line(
        "13.6",
        "an ID token for the service's URL, any of its urls, a custom audience",
        (
            f"{_GATE}::test_a_token_may_be_for_any_of_the_service_s_audiences",
            "tests/controllers/test_access.py::test_a_token_may_be_for_every_url_and_custom_audience",
        ),
    ),
    Line(
        "13.6",
        "public: allUsers, or the check is switched off",
        (
            "tests/controllers/test_access.py::test_it_is_public_when_all_users_have_a_role_with_the_permission",
            "tests/controllers/test_access.py::test_or_when_the_check_is_switched_off",
        ),
    ),
    Line(
        "13.6",
        "Identity-Aware Proxy",
        ("tests/model/test_unsupported.py::test_each_use_is_found_with_its_own_path",),
        "refused",
    ),
    Line(
        "13.7",
        "an account of its own, or the project's default one",
        (f"{_INSIDE}::test_jobs_and_worker_pools_have_an_account_of_their_own", f"{_METADATA}::test_every_path"),
    ),
    Line(
        "13.8",
        "domain mappings, over TLS",
        (
            "tests/gcloud/test_services.py::test_a_domain_of_one_s_own",
            "tests/e2e/test_acme.py::test_a_mapped_domain_gets_a_certificate_and_is_answered_over_tls",
        ),
        "a name that resolves here, instead of a record at Google's",
    ),
    Line(
        "13.9",
        "CMEK, binary authorization, mesh: stored and handed back",
        (f"{_GCLOUD}::test_what_one_machine_has_no_use_for_is_kept_and_cleared",),
    ),
]
