import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Where `npm run dev` finds a running server. */
const server = 'http://127.0.0.1:8888';

export default defineConfig({
  base: '/',
  plugins: [react()],
  // What page and server share stands in the server's rooms, and is named as it is there.
  resolve: { alias: [{ find: /^#/, replacement: fileURLToPath(new URL('../src/', import.meta.url)) }] },
  build: { target: 'es2023', assetsDir: 'assets', reportCompressedSize: true },
  server: {
    proxy: {
      '/api': { target: server, ws: true },
      // The doors of a stream that the page uses.
      '^/.+/(mse|results)$': { target: server, ws: true },
      '^/.+/(whep|mjpeg|index\\.m3u8|snapshot\\.jpg)([/?].*)?$': { target: server },
      '^/.+/hls/': { target: server },
    },
  },
});
