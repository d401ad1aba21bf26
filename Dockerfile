# Sluice in one image. What it contains of our own is Apache-2.0, but the FFmpeg binary that comes with node-av is
# GPLv3, so the image as a whole is passed on under GPLv3 (see NOTICE).
#
#   docker build -t sluice .
#   docker run --rm --network host sluice
#
# Sluice listens on loopback only, hence --network host; put a proxy with a login in front for anybody else.

FROM node:24-bookworm-slim AS page
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY scripts/prepare.mjs scripts/
COPY web web
RUN npm ci

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY web/package.json web/
# onnxruntime-node brings the libraries of every system; here only those of Linux can run.
RUN npm ci --omit=dev --workspaces=false --ignore-scripts \
  && npm cache clean --force \
  && rm -rf node_modules/onnxruntime-node/bin/napi-v*/darwin node_modules/onnxruntime-node/bin/napi-v*/win32
COPY LICENSE NOTICE sluice.example.yml ./
COPY bin bin
COPY media media
COPY models models
COPY src src
COPY --from=page /build/web/dist web/dist
USER node
EXPOSE 8554 8322 1935 1936 8888 8443 8000-8001/udp 8189/udp
# A configuration goes to /app/sluice.yml.
ENTRYPOINT ["node", "bin/sluice.mjs"]
CMD ["serve"]
