import type { AddressInfo, Server } from 'node:net';
import { NamedError } from '#util/named-error.ts';

/**
 * Listens on a TCP port; 0 takes any free one.
 * @param setting the key of the configuration that names the port
 * @returns the port
 * @throws NamedError PORT_BUSY
 */
export function listen(server: Server, host: string, port: number, setting: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new NamedError(
              'PORT_BUSY',
              `Port ${port} on ${host} is in use by another program. Stop that program, or choose another port with ${setting} in sluice.yml.`,
              409,
              { cause: error },
            )
          : error,
      );
    };
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** The host as it stands in a URL: IPv6 addresses in brackets. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
