import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { restrictedAddresses } from '#config/job-change.ts';
import { type JobEntry, mapAddresses } from '#config/job-schema.ts';
import { showAddress } from '#config/shown-address.ts';
import { NamedError } from '#util/named-error.ts';
import type { JobInfo, JobsAccess } from './dependencies.ts';
import type { Gate, RouteAccess } from './gate.ts';
import { job, jobBody, jobPatch } from './job-schemas.ts';
import { errorBody as failure } from './schemas.ts';
import { timeText } from './views.ts';

const tags = ['jobs'];
const failures = { 400: failure, 403: failure, 404: failure, 409: failure, 415: failure };
const params = z.object({ name: z.string().meta({ description: 'Name of the job.' }) });
const one = '/api/jobs/:name';

/** `/api/jobs`: what is pushed, split, merged, relayed and transcoded, how it goes, and changing it. */
export function addJobRoutes(instance: FastifyInstance, jobs: JobsAccess, gate: Gate): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();

  const shown = (name: string) => {
    const entry = jobs.entries().get(name);
    const status = jobs.list().find((each) => each.name === name);
    if (entry && status) return jobView(status, entry);
    throw new NamedError(
      'JOB_UNKNOWN',
      `There is no job "${name}". GET /api/jobs lists those that there are.`,
      404,
    );
  };
  /** Who may have a job may not read or publish by it what they may not otherwise. */
  const mayOf = (request: FastifyRequest) => (action: 'read' | 'publish', stream: string) =>
    gate.check(request, action, stream);

  app.get(
    '/api/jobs',
    {
      config: { access: 'known' },
      schema: {
        tags,
        summary: 'All jobs, and how they go',
        description: 'Those that whoever asks may manage: by the name of their stream, `jobs/<name>`.',
        response: { 200: z.object({ jobs: z.array(job) }) },
      },
    },
    (request) => {
      const { permits } = gate.caller(request);
      const entries = jobs.entries();
      const all = jobs.list().flatMap((status) => {
        const entry = entries.get(status.name);
        return entry && permits('manage', `jobs/${status.name}`) ? jobView(status, entry) : [];
      });
      return { jobs: all };
    },
  );

  app.get(
    one,
    {
      config: { access: managesJob },
      schema: { tags, summary: 'One job', params, response: { 200: job, 404: failure } },
    },
    (request) => shown(request.params.name),
  );

  app.put(
    one,
    {
      config: { access: managesJob },
      schema: {
        tags,
        summary: 'Make a job',
        description:
          'Begins it, or puts this one in the place of the one that there is, and saves it into the configuration file. With `If-None-Match: *` only where there is none. `***` in an address stands for the secret that is stored.',
        params,
        body: jobBody,
        response: { 200: job, 201: job, 412: failure, ...failures },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const fresh = request.headers['if-none-match']?.trim() === '*';
      const keys = request.body;
      const created = await jobs.set(name, { keys, whole: true, fresh, may: mayOf(request) });
      if (created) reply.header('location', `/api/jobs/${encodeURIComponent(name)}`);
      return reply.code(created ? 201 : 200).send(shown(name));
    },
  );

  app.patch(
    one,
    {
      config: { access: managesJob },
      schema: {
        tags,
        summary: 'Change some of a job',
        description:
          'Keys that are not there stay as they are; one that is `null` gets its default (RFC 7396). The job begins anew where it is not what it was.',
        params,
        body: jobPatch,
        response: { 200: job, ...failures },
      },
    },
    async (request) => {
      const { name } = request.params;
      await jobs.set(name, { keys: request.body, whole: false, may: mayOf(request) });
      return shown(name);
    },
  );

  app.delete(
    one,
    {
      config: { access: managesJob },
      schema: {
        tags,
        summary: 'End a job, and take it out of the configuration',
        params,
        response: { 204: z.undefined().meta({ description: 'It is out.' }), ...failures },
      },
    },
    async (request, reply) => {
      await jobs.remove(request.params.name);
      return reply.code(204).send();
    },
  );

  app.post(
    `${one}/start`,
    {
      config: { access: managesJob },
      schema: {
        tags,
        summary: 'Start a job',
        description:
          'Also one that failed, or whose input ended. One that runs does not notice. It is kept: the job is begun with the server from then on.',
        params,
        response: { 200: job, ...failures },
      },
    },
    async (request) => {
      const { name } = request.params;
      await jobs.start(name);
      return shown(name);
    },
  );

  app.post(
    `${one}/stop`,
    {
      config: { access: managesJob },
      schema: {
        tags,
        summary: 'Stop a job',
        description:
          'Its outputs are completed. It is kept (`enabled: false`): after a restart of the server the job does not run either.',
        params,
        response: { 200: job, ...failures },
      },
    },
    async (request) => {
      const { name } = request.params;
      await jobs.stop(name);
      return shown(name);
    },
  );
}

/** A job is managed by who may manage what it publishes. */
const managesJob: RouteAccess = ({ params: of }) => ['manage', `jobs/${(of as { name: string }).name}`];

function jobView(status: JobInfo, entry: JobEntry): z.output<typeof job> {
  const { name, type, state, reason, code, since, progress, inputs, outputs, log } = status;
  return {
    ...{ name, type, state, since: timeText(since), progress },
    ...(reason === undefined ? {} : { reason }),
    ...(code === undefined ? {} : { code }),
    inputs: inputs.map(partView),
    outputs: outputs.map(({ bytesSent, drops, ...part }) => ({ ...partView(part), bytesSent, drops })),
    log: log.map((line) => ({ ...line, time: timeText(line.time) })),
    restricted: restrictedAddresses(entry),
    settings: mapAddresses(entry, (address) => {
      const { restricted: _, ...spoken } = address;
      return { ...spoken, url: showAddress(address.url) };
    }) as z.output<typeof job>['settings'],
  };
}

function partView({ url, state, reason, code }: JobInfo['inputs'][number]) {
  return {
    ...{ url, state },
    ...(reason === undefined ? {} : { reason }),
    ...(code === undefined ? {} : { code }),
  };
}
