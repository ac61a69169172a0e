# Images of the scheduler and of a worker, of the bundle that hosts get as well:
#
#   npm run pack:cluster && docker compose build
#
# docs/OPERATIONS.md says how they are used. BASE needs Node 20.19 or newer, glibc, a shell, tar and gzip.
ARG BASE=node:22-slim

FROM ${BASE} AS unpacked
COPY ansible/pe-cluster.tgz /bundle.tgz
RUN mkdir -p /opt/pe-cluster && tar -xzf /bundle.tgz -C /opt/pe-cluster --no-same-owner

FROM ${BASE} AS package
COPY --from=unpacked /opt/pe-cluster /opt/pe-cluster
COPY containers/healthy.mjs /opt/pe-cluster/
ENV PATH=/opt/pe-cluster/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_ENV=production HOME=/var/lib/pe-cluster XDG_STATE_HOME=/var/lib/pe-cluster/state
# Whoever the container runs as, which is who may read its secrets, keeps the journal there: as in /tmp, each its own.
RUN mkdir -p /var/lib/pe-cluster && chmod 1777 /var/lib/pe-cluster
WORKDIR /var/lib/pe-cluster
USER 10001:10001

FROM package AS worker
EXPOSE 8787
VOLUME /var/lib/pe-cluster
CMD ["pe-worker", "--access-file", "/run/secrets/worker-access.json", "--scratch", "/var/lib/pe-cluster"]

FROM package AS scheduler
EXPOSE 8786
VOLUME /var/lib/pe-cluster
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["node", "/opt/pe-cluster/healthy.mjs"]
CMD ["pe-scheduler", "--host", "0.0.0.0", "--journal", "/var/lib/pe-cluster/journal", "--access-file", "/run/secrets/access.json"]
