/** Checks `linux.resources` of config.json, which is also what `update --resources` reads. */
import type { JsonCursor } from './json-cursor.ts'

const THROTTLES = [
  'throttleReadBpsDevice',
  'throttleWriteBpsDevice',
  'throttleReadIOPSDevice',
  'throttleWriteIOPSDevice',
]

/** config-linux.md "Control groups"; `resources` is an object. Which limit a host can enforce is for the cgroup layer to say. */
export function checkResources(resources: JsonCursor): void {
  for (const rule of resources.field('devices').items()) rule.object(checkDeviceRule)
  resources.field('memory').object(checkMemory)
  resources.field('cpu').object(checkCpu)
  const pids = resources.field('pids')
  if (pids.object()) pids.field('limit').int64()
  resources.field('blockIO').object(checkBlockIo)
  for (const page of resources.field('hugepageLimits').items()) {
    if (!page.object()) continue
    page.field('pageSize').required().nonEmptyString()
    page.field('limit').required().uint64()
  }
  resources.field('network').object(checkNetwork)
  for (const [, device] of resources.field('rdma').entries()) {
    if (!device.object()) continue
    device.field('hcaHandles').uint32()
    device.field('hcaObjects').uint32()
    checkOneOf(device, 'hcaHandles', 'hcaObjects')
  }
  resources.field('unified').object(checkUnified)
}

function checkDeviceRule(rule: JsonCursor): void {
  rule.field('allow').required().boolean()
  rule.field('type').oneOf(['a', 'b', 'c', ''])
  // -1 is an old spelling of "any" that engines still write.
  rule.field('major').integer(-1, 0xffff_ffff)
  rule.field('minor').integer(-1, 0xffff_ffff)
  const access = rule.field('access').string()
  // `a` is "all" in the files of cgroup v1. runc takes it, without meaning; a rule that denies may say more.
  const letters = rule.field('allow').value === false ? /^[rwma]*$/ : /^[rwm]*$/
  if (access !== undefined && !letters.test(access)) {
    rule.field('access').report(`must be made of r, w and m, not ${JSON.stringify(access)}`)
  }
}

function checkMemory(memory: JsonCursor): void {
  for (const key of ['limit', 'reservation', 'swap', 'kernel', 'kernelTCP'])
    memory.field(key).int64()
  memory.field('swappiness').uint64()
  for (const key of ['disableOOMKiller', 'useHierarchy', 'checkBeforeUpdate']) {
    memory.field(key).boolean()
  }
}

function checkCpu(cpu: JsonCursor): void {
  for (const key of ['shares', 'period', 'burst', 'realtimePeriod']) cpu.field(key).uint64()
  for (const key of ['quota', 'realtimeRuntime', 'idle']) cpu.field(key).int64()
  for (const key of ['cpus', 'mems']) cpu.field(key).string()
  const [quota, burst] = [cpu.field('quota').value, cpu.field('burst').value]
  if (typeof quota === 'number' && typeof burst === 'number' && quota > 0 && burst > quota)
    cpu.field('burst').report(`must not be above the quota of ${quota}`)
}

// config-linux.md "Block IO" and "RDMA": an entry that sets nothing is a mistake.
function checkOneOf(entry: JsonCursor, one: string, other: string): void {
  if (!entry.field(one).present && !entry.field(other).present)
    entry.report(`must have ${one} or ${other}`)
}

function checkBlockIo(blockIo: JsonCursor): void {
  blockIo.field('weight').integer(0, 1000)
  blockIo.field('leafWeight').integer(0, 1000)
  for (const device of blockIo.field('weightDevice').items()) {
    checkDeviceNumbers(device)
    device.field('weight').integer(0, 1000)
    device.field('leafWeight').integer(0, 1000)
    checkOneOf(device, 'weight', 'leafWeight')
  }
  for (const key of THROTTLES) {
    for (const device of blockIo.field(key).items()) {
      checkDeviceNumbers(device)
      device.field('rate').required().uint64()
    }
  }
}

function checkDeviceNumbers(device: JsonCursor): void {
  if (!device.object()) return
  device.field('major').required().uint32()
  device.field('minor').required().uint32()
}

function checkNetwork(network: JsonCursor): void {
  network.field('classID').uint32()
  for (const priority of network.field('priorities').items()) {
    if (!priority.object()) continue
    priority.field('name').required().nonEmptyString()
    priority.field('priority').required().uint32()
  }
}

function checkUnified(unified: JsonCursor): void {
  for (const [file, value] of unified.entries()) {
    // The key is a file name in the container's cgroup: it must not lead anywhere else.
    if (file.includes('/') || file.includes('\0') || !file.includes('.') || file.startsWith('.')) {
      value.report(
        `must be named by a cgroup file such as memory.high, not ${JSON.stringify(file)}`,
      )
    }
    value.required().string()
  }
}
