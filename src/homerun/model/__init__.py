"""What exists: names, specs, conditions, as frozen views over the stored JSON.

The stored document of a Run resource (`store.Document.body`) is its v2 JSON (proto3 JSON of google.cloud.run.v2) with
all defaults applied, minus `etag`, which the API derives. Kinds and names, and what `Document.internal` holds:

==========  ==================================================  ====================================================
kind        name                                                internal
==========  ==================================================  ====================================================
Service     projects/P/locations/L/services/S                   etag, operations, v1, template_hash, refused, ordinal
WorkerPool  projects/P/locations/L/workerPools/W                etag, operations, v1, template_hash, refused, ordinal
Revision    the service's or worker pool's/revisions/R          digests, v1, ordinal, skip_check, template_hash
Job         projects/P/locations/L/jobs/J                       etag, operations, v1, digests, pinned
Execution   projects/P/locations/L/jobs/J/executions/E          operations, v1, digests, cancel
Task        …/executions/E/tasks/E-taskN                        attempts
Running     the execution's name                                (body: nothing; there while it is unfinished)
Operation   projects/P/locations/L/operations/ID                target, verb, operation, etag, v1, digests
Policy      the service's, worker pool's or job's name          (body: an IAM policy)
Project     projects/NUMBER                                     (body: projectId, projectNumber)
Usage       the service's or worker pool's name                 (body: metered seconds)
==========  ==================================================  ====================================================

- `etag`: opaque; changes with each write of a user, not with status (API writes it).
- `operations`: `[{"name": …, "generation": N, "verb": "create"}]`, the unfinished long-running operations of the
  object. Whoever settles a generation finishes those up to it, in the same transaction.
- `operation`: the id of the latest of them, finished or not; of an Operation, its own. An Operation also keeps its
  target's `etag`, `v1` and `digests` of that write, to show its answer with.
- `v1`: what the Knative API sent and v2 cannot express (`[[path, converted, sent], …]`); handed back as it came.
- `template_hash`: of the template that the latest created revision was made from, or this one.
- `refused`: why that template could not become a revision at all (its name is taken).
- `digests`: pinned references, one for each container of the template, in order.
- `pinned`: the generation that `digests` are of.
- `ordinal`: which revision of its service it is, counted from 1, or of a service its latest.
- `skip_check`: no deployment health check.
- `cancel`: true once somebody asked for it.
- `attempts`: `[{"number": 0, "started": t, "ended": t, "outcome": …, "code": n, "signal": n, "oom": true}]`, see
  core/task.py.
"""
