# One image for every role: `work` by default; `enqueue`, `run`, `simulate` and the rest as arguments.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
# tini passes signals on and reaps what a private Redis leaves; redis-server is for `run` without REDIS_URL.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends tini redis-server \
  && rm -rf /var/lib/apt/lists/* \
  && mkdir /runs && chown node:node /runs
ENV NODE_ENV=production
COPY --from=build /app/package.json /app/
COPY --from=build /app/node_modules /app/node_modules
COPY --from=build /app/bin /app/bin
COPY --from=build /app/dist /app/dist
COPY --from=build /app/examples/prompts.jsonl /app/examples/
USER node
# Run directories: the same folder for producers and workers.
VOLUME /runs
WORKDIR /runs
EXPOSE 9464
ENTRYPOINT ["tini", "--", "node", "/app/bin/imagemill.js"]
CMD ["work", "--listen", "0.0.0.0:9464"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9464/livez').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
