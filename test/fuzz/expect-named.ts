/** Refusals of the API have a code of our table, and nothing is an internal error. */
export function expectNamed({ statusCode, body }: { statusCode: number; body: string }): void {
  if (statusCode < 400) return;
  const { error } = JSON.parse(body) as { error?: { code?: string } };
  if (statusCode >= 500 || !/^[A-Z][A-Z_]+$/.test(error?.code ?? '')) {
    throw new Error(`The API answered ${statusCode} ${body.slice(0, 300)}`);
  }
}
