/** `tsrun login`: keeps the credentials of a registry, after trying them. */
import { login, registryDomain } from '../../engine/registry-login.ts'
import { TsrunError } from '../../errors.ts'
import { askSecret, askText, readAll } from './ask-user.ts'
import type { CommandInput, CommandOptions, EngineCommand } from './command.ts'

export const command: EngineCommand = {
  usage: 'login [options] [REGISTRY]',
  describe:
    'Log in to a registry: Docker Hub when none is named. Kept as docker does, in its config.json or a credential helper.',
  options: {
    username: { type: 'string', alias: 'u', describe: 'user name', value: 'name' },
    password: {
      type: 'string',
      alias: 'p',
      describe: 'password, which other users can see in the list of processes',
      value: 'text',
    },
    'password-stdin': { type: 'flag', describe: 'read the password from standard input' },
    'tls-verify': { type: 'flag', describe: 'false: take any certificate, or plain HTTP' },
  },
  examples: [
    {
      does: 'With a token from a file',
      line: 'login --username me --password-stdin registry.example.org < token',
    },
  ],
  positionals: { min: 0, max: 1 },
  worksWithoutRoot: () => true,
  run,
}

async function run({ options, positionals }: CommandInput): Promise<number> {
  const [registry] = positionals
  const domain = registryDomain(registry)
  const { username, password } = await credentialsOf(options)
  const { place, isClear } = await login({
    registry: domain,
    username,
    password,
    verifyTls: options.flag('tls-verify', true),
  })
  if (isClear)
    process.stderr.write(
      `tsrun: the credentials are in ${place}, readable for whoever can read that file\n`,
    )
  process.stdout.write('Login Succeeded\n')
  return 0
}

async function credentialsOf(
  options: CommandOptions,
): Promise<{ username: string; password: string }> {
  const given = options.string('password')
  if (options.flag('password-stdin')) {
    const username = options.string('username')
    if (given !== undefined) throw refused('--password and --password-stdin exclude each other')
    if (username === undefined) throw refused('--password-stdin needs --username')
    const password = (await readAll(process.stdin)).replace(/\r?\n$/, '')
    if (password === '') throw refused('standard input has no password')
    return { username, password }
  }
  const canAsk = process.stdin.isTTY === true
  if (!canAsk && (given === undefined || options.string('username') === undefined))
    throw refused('a name and a password are needed, and nobody can be asked')
  const username = options.string('username') ?? (await askText('Username: '))
  const password = given ?? (await askSecret('Password: '))
  if (username === '' || password === '') throw refused('a name and a password are needed')
  return { username, password }
}

function refused(problem: string): TsrunError {
  return new TsrunError('invalid-argument', `cannot log in: ${problem}`, {
    hint: 'tsrun login --username NAME --password-stdin < FILE',
  })
}
