import type { FastifyError, FastifyInstance } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { refusalHeaders } from '#hub/http-credentials.ts';
import { NamedError } from '#util/named-error.ts';

interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly details?: readonly { readonly field: string; readonly rule: string }[];
  };
}

/** What a client is told of a failure. */
export function errorBody(
  error: NamedError,
  details?: NonNullable<ErrorBody['error']['details']>,
): ErrorBody {
  return { error: { code: error.code, message: error.message, ...(details ? { details } : {}) } };
}

/** Answers every failure with `{ error: { code, message, details? } }`. */
export function answerErrors(app: FastifyInstance, onFault: (error: unknown, where: string) => void): void {
  app.setErrorHandler((error: FastifyError | NamedError, request, reply) => {
    if (error instanceof NamedError) {
      reply.headers(refusalHeaders(error, request.headers));
      return reply.code(error.status).send(errorBody(error));
    }
    if (hasZodFastifySchemaValidationErrors(error)) {
      const details = error.validation.map((issue) => ({
        field: [error.validationContext, ...issue.instancePath.split('/').filter(Boolean)].join('.'),
        rule: issue.message ?? 'is not allowed',
      }));
      const sentence = details.map(({ field, rule }) => `"${field}": ${rule}`).join('; ');
      return reply.code(400).send(errorBody(badRequest(sentence), details));
    }
    if (error.statusCode !== undefined && error.statusCode < 500) {
      return reply.code(error.statusCode).send(errorBody(badRequest(error.message)));
    }
    // What stands behind the mark may be a token.
    onFault(error, `${request.method} ${request.url.split('?', 1)[0]}`);
    return reply.code(500).send(errorBody(internalError()));
  });
}

/** The refusal of a request that does not have the shape that the API wants. */
export function badRequest(what: string): NamedError {
  return new NamedError(
    'REQUEST_INVALID',
    `The request is not as the API wants it: ${what.replace(/\.$/, '')}.`,
  );
}

/** The refusal of an address that there is not. */
export function unknownRoute(method: string, path: string): NamedError {
  return new NamedError(
    'ROUTE_UNKNOWN',
    `There is nothing at ${method} ${path}. /api/openapi.json lists what there is.`,
    404,
  );
}

/** What is told of a bug: nothing that could give something away. */
export function internalError(): NamedError {
  return new NamedError(
    'INTERNAL_ERROR',
    'Something broke inside Sluice while it answered. The log of the server says more.',
    500,
  );
}
