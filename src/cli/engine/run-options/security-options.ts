/** Options of `run` and `create` about what the container is allowed: capabilities, devices, security modules. */
import type { RunRequest } from '../../../engine/run-request.ts'
import type { CommandOptions, OptionSpec } from '../command.ts'

export const SECURITY_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'cap-add': { type: 'list', describe: 'give a capability', value: 'name or ALL' },
  'cap-drop': { type: 'list', describe: 'take a capability', value: 'name or ALL' },
  device: { type: 'list', describe: 'give a device of the host', value: 'path[:path][:rwm]' },
  gpus: { type: 'string', describe: 'give GPUs of NVIDIA (CDI)', value: 'all|device=NAME' },
  privileged: { type: 'flag', describe: 'all capabilities, all devices, nothing hidden' },
  'security-opt': {
    type: 'list',
    describe: 'no-new-privileges, seccomp=path, apparmor=profile, …',
    value: 'option',
  },
}

export function securityRequest(options: CommandOptions): Partial<RunRequest> {
  return {
    devices: options.list('device'),
    gpus: options.string('gpus'),
    capAdd: options.list('cap-add'),
    capDrop: options.list('cap-drop'),
    privileged: options.flag('privileged'),
    securityOpt: options.list('security-opt'),
  }
}
