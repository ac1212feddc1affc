/** Scheduling, affinity, memory policy and personality, as the process inside has them. */
import { spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Process, RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { installedRuntimes, makeRuntime, type Runtime, TSRUN } from '../support/runtime.ts'
import { type Bundle, makeBundle, withProcess } from '../support/runtime-bundle.ts'
import { uniqueId } from '../support/unique-id.ts'

const ID = uniqueId('p')

let bundle: Bundle
let runtime: Runtime

beforeEach(() => {
  bundle = makeBundle()
})
afterEach(() => {
  runtime[Symbol.dispose]()
  bundle[Symbol.dispose]()
})

/** What `script` prints in a container with these fields. */
function output(script: string, process: Partial<Process>, linux: RuntimeConfig['linux'] = {}) {
  bundle.configure((config) =>
    withProcess(
      { ...config, linux: { ...config.linux, ...linux } },
      { args: ['sh', '-c', script], ...process },
    ),
  )
  return runtime.run(['run', '--bundle', bundle.directory, ID])
}

/** Starts a container that sleeps. */
function sleeper(process: Partial<Process> = {}, linux: RuntimeConfig['linux'] = {}): void {
  bundle.configure((config) =>
    withProcess(
      { ...config, linux: { ...config.linux, ...linux } },
      { args: ['sleep', '1000'], ...process },
    ),
  )
  runtime.succeed(['run', '-d', '--bundle', bundle.directory, ID], { stdio: 'ignore' })
}

/** What `script` prints by `exec --process`. */
function execOutput(script: string, process: Partial<Process> = {}) {
  const file = join(bundle.directory, 'process.json')
  const document = { cwd: '/', args: ['sh', '-c', script], env: ['PATH=/bin'], ...process }
  writeFileSync(file, JSON.stringify(document))
  return runtime.run(['exec', '--process', file, ID])
}

// Field 41 of /proc/<pid>/stat is the policy, 40 the real-time priority, 19 the nice value (proc(5)).
const SCHEDULING = `awk '{ print $41, $40, $19 }' /proc/self/stat; ionice -p 0`
const MAPPING = [{ containerID: 0, hostID: 100000, size: 65536 }]
const IN_USER_NAMESPACE: RuntimeConfig['linux'] = {
  namespaces: (['mount', 'pid', 'network', 'ipc', 'uts', 'user'] as const).map((type) => ({
    type,
  })),
  uidMappings: MAPPING,
  gidMappings: MAPPING,
}

// Peers of Debian 12 are older than these fields, but for the personality of crun.
describe.each(installedRuntimes().filter((name) => name !== 'runc'))('%s', (name) => {
  beforeEach(() => {
    runtime = makeRuntime(name)
  })

  it('shows a 32-bit machine with the personality LINUX32', () => {
    const { stdout } = output('uname -m', {}, { personality: { domain: 'LINUX32' } })
    expect(stdout).toBe(process.arch === 'x64' ? 'i686\n' : 'armv8l\n')
  })
})

describe('tsrun', () => {
  beforeEach(() => {
    runtime = makeRuntime()
  })

  it('schedules the process as the config says, and those of exec', () => {
    const fields: Partial<Process> = {
      scheduler: { policy: 'SCHED_BATCH', nice: -5 },
      ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 3 },
    }
    expect(output(SCHEDULING, fields)).toMatchObject({
      stderr: '',
      stdout: '3 0 -5\nbest-effort: prio 3\n',
    })
    sleeper(fields)
    expect(execOutput(SCHEDULING).stdout).toBe('3 0 -5\nbest-effort: prio 3\n')
    expect(runtime.succeed(['exec', ID, 'sh', '-c', SCHEDULING])).toBe(
      '3 0 -5\nbest-effort: prio 3\n',
    )
    const own: Partial<Process> = {
      scheduler: { policy: 'SCHED_FIFO', priority: 7 },
      ioPriority: { class: 'IOPRIO_CLASS_RT', priority: 1 },
    }
    expect(execOutput(SCHEDULING, own).stdout).toBe('1 7 0\nrealtime: prio 1\n')
    const idle: Partial<Process> = { ioPriority: { class: 'IOPRIO_CLASS_IDLE' } }
    expect(execOutput('ionice -p $$', idle).stdout).toMatch(/^idle/)
  })

  it('schedules for a user without rights, and in a user namespace', () => {
    chmodSync(bundle.directory, 0o711)
    const fields: Partial<Process> = {
      scheduler: { policy: 'SCHED_RR', priority: 2 },
      ioPriority: { class: 'IOPRIO_CLASS_RT', priority: 0 },
      user: { uid: 1000, gid: 1000 },
    }
    const expected = '2 2 0\nrealtime: prio 0\n'
    expect(output(SCHEDULING, fields)).toMatchObject({ stderr: '', stdout: expected })
    expect(output(SCHEDULING, fields, IN_USER_NAMESPACE)).toMatchObject({
      stderr: '',
      stdout: expected,
    })
    sleeper({}, IN_USER_NAMESPACE)
    expect(execOutput(SCHEDULING, fields)).toMatchObject({ stderr: '', stdout: expected })
  })

  it('takes a deadline', () => {
    const scheduler = {
      policy: 'SCHED_DEADLINE',
      flags: ['SCHED_FLAG_RESET_ON_FORK'],
      runtime: 1_000_000,
      deadline: 100_000_000,
      period: 100_000_000,
    }
    // No shell: what a deadline process forks is an ordinary one again.
    bundle.configure((config) =>
      withProcess(config, { args: ['cat', '/proc/self/stat'], scheduler }),
    )
    const { stdout, stderr } = runtime.run(['run', '--bundle', bundle.directory, ID])
    expect(stderr).toBe('')
    expect(stdout.split(' ')[40]).toBe('6')
  })

  it('explains a policy that the kernel refuses', () => {
    const { status, stderr } = output('true', { scheduler: { policy: 'SCHED_ISO' } })
    expect(status).toBe(1)
    expect(stderr).toContain('process.scheduler: sched_setattr SCHED_ISO: EINVAL')
    expect(stderr).toContain('hint: no kernel has SCHED_ISO')
    chmodSync(bundle.directory, 0o711)
    expect(
      output('true', { scheduler: { policy: 'SCHED_ISO' } }, IN_USER_NAMESPACE).stderr,
    ).toContain('process.scheduler: sched_setattr SCHED_ISO: EINVAL')
  })

  it('sets the memory policy, for exec too', () => {
    const memoryPolicy = { mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] }
    const script = `grep -o 'bind=static:0' /proc/self/numa_maps | sort -u`
    expect(output(script, {}, { memoryPolicy }).stdout).toBe('bind=static:0\n')
    sleeper({}, { memoryPolicy })
    expect(execOutput(script).stdout).toBe('bind=static:0\n')
  })

  it('explains a memory node that is not there', () => {
    const memoryPolicy = { mode: 'MPOL_BIND', nodes: '1000' }
    const { status, stderr } = output('true', {}, { memoryPolicy })
    expect(status).toBe(1)
    expect(stderr).toContain('linux.memoryPolicy: set_mempolicy MPOL_BIND 1000: EINVAL')
    expect(stderr).toContain('hint: a node is not online')
  })

  const AFFINITY = `awk '/Cpus_allowed_list/ { print $2 }' /proc/self/status`
  const ALL = availableParallelism() > 1 ? `0-${availableParallelism() - 1}` : '0'

  it('does not bind a container to the CPUs of its caller', () => {
    bundle.command('sh', '-c', AFFINITY)
    const oci = ['oci', '--root', runtime.root, 'run', '--bundle', bundle.directory, ID]
    const { stdout } = spawnSync('taskset', ['-c', '0', TSRUN, ...oci], { encoding: 'utf8' })
    expect(stdout).toBe(`${ALL}\n`)
  })

  it('binds an exec to the final CPUs, and nothing else', () => {
    sleeper({ execCPUAffinity: { initial: '0', final: '0' } })
    expect(execOutput(AFFINITY).stdout).toBe('0\n')
    expect(execOutput(AFFINITY, { execCPUAffinity: { final: ALL } }).stdout).toBe(`${ALL}\n`)
    expect(execOutput(AFFINITY, { execCPUAffinity: {} }).stdout).toBe(`${ALL}\n`)
    const { stderr } = execOutput(AFFINITY, { execCPUAffinity: { final: '5000' } })
    expect(stderr).toContain('process.execCPUAffinity.final: sched_setaffinity CPUs 5000: EINVAL')
  })

  // No machine of ours has resctrl; test/unit/runtime/intel-rdt.test.ts has the rest.
  it('says what linux.intelRdt needs, and leaves nothing behind', () => {
    const { status, stderr } = output('true', {}, { intelRdt: { enableMonitoring: true } })
    expect(status).toBe(1)
    expect(stderr).toContain('no resctrl file system is mounted; hint: mount -t resctrl')
    expect(runtime.succeed(['list', '--quiet'])).toBe('')
  })
})
