// What a program that uses Google's Node client does; says what it got, as JSON, on its standard output.
const { ExecutionsClient, JobsClient, ServicesClient } = require('@google-cloud/run');
const { grpc } = require('google-gax');

const [host, port] = process.argv[2].split(':');
const options = { apiEndpoint: host, port: Number(port), sslCreds: grpc.credentials.createInsecure() };
const services = new ServicesClient(options);
const jobs = new JobsClient(options);
const executions = new ExecutionsClient(options);
const parent = 'projects/homerun/locations/us-central1';
const said = {};

const done = async (call) => (await (await call)[0].promise())[0];
const names = (found) => found[0].map((resource) => resource.name);

async function main() {
  const service = { template: { containers: [{ image: 'registry.test/web:1' }] } };
  const made = await done(services.createService({ parent, serviceId: 'hello', service }));
  said.uri = made.uri;
  said.state = (await services.getService({ name: made.name }))[0].terminalCondition.state;
  said.services = names(await services.listServices({ parent }));
  const labels = { team: 'a' };
  const changed = await done(services.updateService({ service: { name: made.name, labels }, updateMask: { paths: ['labels'] } }));
  said.labels = changed.labels;
  said.wrong = await services.createService({ parent, serviceId: 'hello', service }).catch((error) => [error.code, error.reason]);
  const bad = { template: { containers: [{ image: '' }] } };
  said.fields = await services
    .createService({ parent, serviceId: 'bad', service: bad })
    .catch((error) => error.statusDetails.flatMap((detail) => detail.fieldViolations ?? []).map((violation) => violation.field));
  said.locations = [];
  for await (const location of services.listLocationsAsync({ name: 'projects/homerun' })) said.locations.push(location.locationId);

  const job = { template: { taskCount: 2, template: { containers: [{ image: 'registry.test/batch:1' }] } } };
  const work = await done(jobs.createJob({ parent, jobId: 'work', job }));
  const execution = await done(jobs.runJob({ name: work.name }));
  said.succeeded = execution.succeededCount;
  said.executions = names(await executions.listExecutions({ parent: work.name }));

  await done(jobs.deleteJob({ name: work.name }));
  await done(services.deleteService({ name: made.name }));
  said.left = names(await services.listServices({ parent }));
  said.gone = await services.getService({ name: made.name }).catch((error) => error.code);
  console.log(JSON.stringify(said));
  for (const client of [services, jobs, executions]) await client.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
