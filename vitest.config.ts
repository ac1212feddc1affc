/**
 * Unit tests share the cores, the others own the machine one file at a time. Integration tests that run
 * the command run twice where the engine may matter: project `standalone` is these files against the
 * executable of Bun.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'

const INTEGRATION = 'test/integration'

/**
 * Files whose subject is what plans, the C programs and the peers do in the kernel. The executable compiles them from
 * the same sources, and the files that are not named here drive every verb through it, so once is enough
 * for a run of CI.
 * TSRUN_STANDALONE=all runs them with the executable, too.
 */
const SAME_WITH_EVERY_ENGINE = new Set([
  'bind-mounts',
  'bombs',
  'build',
  'build-cache',
  'build-hostile',
  'build-oracle',
  'buildah',
  'cgroup-ownership',
  'checkpoint',
  'criu-protocol',
  'cve',
  'dangling-links',
  'default-profile',
  'devices',
  'filesystem-mounts',
  'hostile-container',
  'hostile-passwd',
  'hostile-races',
  'hostile-state',
  'idmapped-mounts',
  'image-exchange',
  'inspect-shape',
  'killed-anywhere',
  'library-networks',
  'masked-paths',
  'memfd-noexec',
  'mount-order',
  'mount-propagation',
  'namespaces',
  'net-devices',
  'network-cni',
  'network-connect',
  'network-crowd',
  'network-macvlan',
  'network-names',
  'network-ports',
  'network-publish',
  'process-attributes',
  'refused-programs',
  'restart-policy',
  'rootless-network',
  'seccomp',
  'security-labels',
  'spec-config',
  'spec-config-linux',
  'spec-features',
  'spec-hooks',
  'spec-runtime',
  'tmpfs-copy-up',
  'user-ids',
  'volume-copy',
])

/** Files that get the command from test/support, and so the one that TSRUN_COMMAND names. The library is Node's. */
function commandTests(): string[] {
  const all = process.env.TSRUN_STANDALONE === 'all'
  return readdirSync(INTEGRATION)
    .filter((name) => name !== 'library.test.ts')
    .filter((name) => all || !SAME_WITH_EVERY_ENGINE.has(name.replace(/\.test\.ts$/, '')))
    .map((name) => `${INTEGRATION}/${name}`)
    .filter((path) =>
      /\b(?:TSRUN|makeRuntime|makeOrdinaryUser|TestEngine|Docker)\b/.test(
        readFileSync(path, 'utf8'),
      ),
    )
}

// A container's network is a change of the host's: only tests about networks want one.
const NO_NETWORK = { TSRUN_NETWORK: 'none' }

// Mounts, cgroups, containers and loopback ports are the machine's.
const ALONE = {
  env: NO_NETWORK,
  pool: 'forks',
  fileParallelism: false,
  testTimeout: 120_000,
  hookTimeout: 120_000,
} as const

/** Those that name a machine are for that one: *.smp.test.ts. */
function machineFiles(suffix: string): { readonly include: string[]; readonly exclude?: string[] } {
  const folder = 'test/vm/suite'
  if (suffix !== '') return { include: [`${folder}/*.${suffix}.test.ts`] }
  return { include: [`${folder}/*.test.ts`], exclude: [`${folder}/*.*.test.ts`] }
}

// Only in the test machine (npm run test:vm), which is some five times slower than the one it runs on.
const MACHINE = {
  test: {
    name: 'vm',
    ...machineFiles(process.env.TSRUN_TEST_SUFFIX ?? ''),
    ...ALONE,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/architecture.test.ts'],
          pool: 'forks',
          // A process for each of the files cost five times the tests (83 s of processor time, 16 without).
          isolate: false,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts', 'test/native/**/*.test.ts'],
          ...ALONE,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'standalone',
          include: commandTests(),
          ...ALONE,
          env: { ...NO_NETWORK, TSRUN_COMMAND: resolve('dist/standalone/tsrun') },
          sequence: { groupOrder: 2 },
        },
      },
      ...(process.env.TSRUN_TEST_MACHINE === undefined ? [] : [MACHINE]),
    ],
  },
})
