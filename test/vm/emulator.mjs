/** How the machine starts in QEMU, without KVM: for what user-mode Linux has not, at a twentieth of the speed. */
import { join } from 'node:path'
import { installDebianPackages } from '../../.ci/debian.mjs'
import { CannotRun } from './cannot-run.mjs'
import { makeOnce } from './make-once.mjs'
import { tree } from './paths.mjs'

const MEBIBYTES = 3072
// Two mebibytes each.
const HUGE_PAGES = 64
const NEED = { packages: 'machine', gibibytes: 1, minutes: 5 }

/** Installs QEMU and makes Debian's kernel ready for it. */
export async function prepareEmulator({ log, signal }) {
  if (process.arch !== 'x64') throw new CannotRun(`its image is for x86_64, not ${process.arch}`)
  installDebianPackages(['machine-emulator'], log)
  const inputs = ['initial-root.sh']
  return { boot: await makeOnce('emulated-kernel', { inputs, need: NEED, log, signal }) }
}

/** The command that boots `image`; it ends when the machine is off. */
export function emulator({ boot, image, control, cpus }) {
  return [
    'qemu-system-x86_64',
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-serial', 'stdio'],
    ...['-M', 'pc,usb=off,vmport=off,hpet=off', '-m', `${MEBIBYTES}`, '-smp', `${cpus}`],
    // Five levels of page tables are emulated at the price of a fifth walk.
    ...['-accel', 'tcg,thread=multi,tb-size=1024', '-cpu', 'max,la57=off'],
    ...['-kernel', join(boot, 'kernel'), '-initrd', join(boot, 'initial-root')],
    ...['-append', KERNEL_WORDS.join(' ')],
    ...disk('root', image, ['cache=unsafe', 'snapshot=on']),
    ...disk('modules', join(boot, 'modules'), ['readonly=on']),
    ...['-device', 'virtio-rng-pci'],
    ...share('control', control),
    ...share('tree', tree),
  ]
}

const KERNEL_WORDS = [
  'console=ttyS0',
  'quiet',
  'loglevel=4',
  'panic=-1',
  'nokaslr',
  'mitigations=off',
  'tsc=reliable',
  'no_timer_check',
  'nowatchdog',
  'audit=0',
  'random.trust_cpu=on',
  'cryptomgr.notests',
  'rcupdate.rcu_expedited=1',
  'lsm=landlock,yama,apparmor',
  `hugepages=${HUGE_PAGES}`,
  'systemd.show_status=0',
  'systemd.log_color=0',
]

function disk(name, path, options) {
  const drive = [`file=${escaped(path)}`, 'format=raw', 'if=none', `id=${name}`, ...options]
  return ['-drive', drive.join(','), '-device', `virtio-blk-pci,drive=${name}`]
}

function share(name, path) {
  const backend = `local,id=${name},path=${escaped(path)},security_model=passthrough,multidevs=remap`
  return ['-fsdev', backend, '-device', `virtio-9p-pci,fsdev=${name},mount_tag=${name}`]
}

// qemu(1): a comma in a value is written twice.
function escaped(path) {
  return path.replaceAll(',', ',,')
}
