/** `explain`: prints what `create` would do, as one system call a line. */
import { resolve } from 'node:path'
import { readBundleConfig } from '../../runtime/bundle.ts'
import { explainPlan } from '../../runtime/explain-plan.ts'
import { NO_ARGUMENTS, type OciCommand, print } from './command.ts'

export const explainCommand: OciCommand = {
  usage: '[--bundle dir] [--seccomp]',
  description: 'print the system calls that create would make, with their origin in config.json',
  table: { flags: { bundle: 'string', seccomp: 'boolean' }, aliases: { b: 'bundle' } },
  positional: NO_ARGUMENTS,
  async run(args) {
    const bundle = resolve(args.string('bundle') ?? '.')
    const seccomp = args.boolean('seccomp')
    print(await explainPlan({ id: 'explain', bundle, config: readBundleConfig(bundle), seccomp }))
    return 0
  },
}
