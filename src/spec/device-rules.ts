/** --device-cgroup-rule: `c 1:3 mr`, in the form of the kernel's old devices.allow. */
import type { DeviceRule } from '../oci/runtime-config.ts'
import { refuseOption } from './invalid-option.ts'

/** Throws for what docker does not take either. */
export function parseDeviceRule(text: string): DeviceRule {
  const match = /^([acb]) (\*|\d{1,10}):(\*|\d{1,10}) ([rwm]{1,3})$/.exec(text)
  if (match === null) {
    return refuseOption(
      'device-cgroup-rule',
      text,
      'it must be as "c 1:3 rwm", with * for any number',
    )
  }
  const [, type = '', major = '', minor = '', access = ''] = match
  return {
    allow: true,
    ...(type === 'a' ? {} : { type }),
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  }
}
