/** `tsrun build`: Dockerfiles become images that run, steps that have not changed are not done again, nothing is left. */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBusyboxImage } from '../../rootfs-cache/build-busybox-image.mjs'
import { type BuildProgress, buildImage } from '../../src/index.ts'
import type { ImageConfig } from '../../src/oci/image.ts'
import { TestEngine } from '../support/engine.ts'
import { makeOrdinaryUser } from '../support/ordinary-user.ts'
import { missing } from '../support/requires.ts'
import { until } from '../support/until.ts'

describe.skipIf(missing('root', 'cgroup2'))('tsrun build', () => {
  const engine = new TestEngine()
  const context = join(engine.directory, 'context')
  const env = { ...process.env, TSRUN_NETWORK: 'none' }

  /** Builds `dockerfile` with the files of the context; the result is the image's id. */
  const build = (dockerfile: string, ...args: string[]) =>
    engine.run(['build', ...args, '-f', '-', context], { input: dockerfile, env })
  const idOf = (dockerfile: string, ...args: string[]) => {
    const { status, stdout, stderr } = build(dockerfile, ...args)
    if (status !== 0) throw new Error(stderr)
    return stdout.trim()
  }
  const refusal = (dockerfile: string, ...args: string[]) => {
    const { status, stderr } = build(dockerfile, '-q', ...args)
    expect(status).not.toBe(0)
    return stderr
      .split('\n')
      .filter((line) => line.startsWith('tsrun: '))
      .join('\n')
  }
  const run = (image: string, ...args: string[]) =>
    engine.succeed(['run', '--rm', image, ...args], { env })
  const inspect = (
    image: string,
  ): ImageConfig & Record<'Config' | 'RootFS', Record<string, unknown>> =>
    JSON.parse(engine.succeed(['image', 'inspect', image]))[0]
  const file = (name: string, content: string) => {
    mkdirSync(join(context, name, '..'), { recursive: true })
    writeFileSync(join(context, name), content)
  }
  /** How each numbered step of the build ended. */
  const endings = (text: string) =>
    text.split('\n').flatMap((line) => /^#\d+ (CACHED|DONE|ERROR)/.exec(line)?.[1] ?? [])

  beforeAll(async () => {
    await engine.loadBusybox()
    file('a.txt', 'one\n')
    file('sub/b.txt', 'two\n')
    file('ignored.o', 'no\n')
    file('.dockerignore', '*.o\n')
  })
  afterAll(async () => {
    expect(await engine.settled()).toEqual([])
    engine[Symbol.dispose]()
  })

  it('makes an image that runs, with configuration and history as docker has them', () => {
    const id = idOf(
      `FROM busybox
       ARG V=1
       ENV WHO=world
       WORKDIR /app
       COPY . .
       RUN echo "hello $WHO $V" > greeting
       LABEL made="by $WHO"
       EXPOSE 80
       CMD ["cat", "greeting"]`,
      ...['-t', 'one', '-t', 'example.org/one:2', '--build-arg', 'V=2', '--label', 'more=x'],
    )
    expect(run('one')).toBe('hello world 2')
    expect(run('example.org/one:2', 'ls', '-a')).toBe('.\n..\n.dockerignore\na.txt\ngreeting\nsub')
    expect(inspect('one').Config).toMatchObject({
      Env: expect.arrayContaining(['WHO=world']),
      WorkingDir: '/app',
      Cmd: ['cat', 'greeting'],
      ExposedPorts: { '80/tcp': {} },
      Labels: { made: 'by world', more: 'x' },
    })
    expect(
      engine.succeed(['history', '--no-trunc', '--format', '{{.CreatedBy}}', 'one']),
    ).toContain('RUN |1 V=2 /bin/sh -c echo "hello $WHO $V" > greeting')
    expect(inspect(id).Config).toEqual(inspect('one').Config)
  })

  it('does no step again that has not changed, whatever the times of files say', () => {
    const dockerfile = `FROM busybox
      COPY a.txt /a
      RUN cat /a > /b
      LABEL x=$x
      COPY sub /sub`
    const id = idOf(dockerfile)
    utimesSync(join(context, 'a.txt'), 1, 1)
    const again = build(dockerfile)
    expect(again.stdout.trim()).toBe(id)
    expect(endings(again.stderr)).toEqual(['CACHED', 'CACHED', 'CACHED', 'CACHED', 'DONE'])
    // A step after a changed one is done again; one whose result is the same as before brings the cache back.
    file('a.txt', 'other\n')
    expect(endings(build(dockerfile).stderr)).toEqual(['CACHED', 'DONE', 'DONE', 'DONE', 'DONE'])
    file('a.txt', 'one\n')
    expect(endings(build(dockerfile).stderr).slice(0, 4)).toEqual(Array(4).fill('CACHED'))
    expect(endings(build(dockerfile, '--no-cache').stderr).slice(1, 4)).toEqual(
      Array(3).fill('DONE'),
    )
  })

  it('builds the stages that are needed, and copies between them with owners and modes', () => {
    idOf(
      `ARG BASE=busybox
       FROM $BASE AS build
       RUN mkdir /out && echo made > /out/file && chown 7:8 /out/file && chmod 4751 /out/file
       FROM build AS unused
       RUN false
       FROM busybox
       COPY --from=build /out /kept
       COPY --from=0 --chown=1:2 /out/file /given
       COPY --from=busybox --chmod=600 /etc/passwd /pw
       RUN stat -c '%n %u:%g %a' /kept/file /given /pw > /stats`,
      ...['-t', 'stages'],
    )
    expect(run('stages', 'cat', '/stats')).toBe('/kept/file 7:8 4751\n/given 1:2 4751\n/pw 0:0 600')
    const targets = build(
      'FROM busybox AS a\nRUN touch /a\nFROM busybox\nRUN false',
      '--target',
      'A',
    )
    expect(targets.status).toBe(0)
  })

  it('runs here-documents by the shell or their own interpreter, and copies them', () => {
    idOf(
      `FROM busybox
ENV X=x
RUN <<EOF
echo "one $X" > /r
EOF
RUN <<'EOF'
#!/bin/cat
a script
EOF
RUN cat <<A >> /r && cat <<"B" >> /r
two $X
A
three $X
B
COPY <<f <<"g" /h/
four $X
f
five $X
g
`,
      ...['-t', 'heredocs'],
    )
    expect(run('heredocs', 'cat', '/r', '/h/f', '/h/g')).toBe(
      'one x\ntwo x\nthree $X\nfour x\nfive $X',
    )
  })

  it('mounts caches, secrets, binds and tmpfs for one command, and leaves nothing of them in a layer', () => {
    file('../token', 'a-secret-4711')
    const dockerfile = (round: number) => `FROM busybox AS other
      RUN echo there > /there
      FROM busybox
      RUN --mount=type=cache,target=/deep/cache,uid=5 --mount=type=tmpfs,target=/tm,size=1m \\
        --mount=type=secret,id=token,required --mount=type=secret,id=token,env=TOKEN \\
        --mount=type=bind,source=sub,target=/ctx --mount=from=other,target=/other,rw \\
        echo ${round} >> /deep/cache/log; cat /deep/cache/log /other/there /ctx/b.txt > /seen; \\
        wc -c < /run/secrets/token >> /seen; echo "\${#TOKEN}" >> /seen; \\
        stat -c %u /deep/cache >> /seen; touch /other/x; ! touch /ctx/x 2> /dev/null`
    const secret = ['--secret', `id=token,src=${join(engine.directory, 'token')}`]
    idOf(dockerfile(1), ...secret)
    idOf(dockerfile(2), ...secret, '-t', 'mounts')
    expect(run('mounts', 'cat', '/seen')).toBe('1\n2\nthere\ntwo\n13\n13\n5')
    expect(run('mounts', 'ls', '/')).not.toMatch(/deep|tm$|ctx|other|run/m)
    const store = spawnSync('grep', ['-rlaF', 'a-secret-4711', engine.dataRoot], {
      encoding: 'utf8',
    })
    expect(store.stdout).toBe('')
    expect(refusal(dockerfile(3))).toContain('the build has none of that name')
  })

  it('does what an image has for those that are built on it', () => {
    idOf('FROM busybox\nONBUILD COPY a.txt /on\nONBUILD RUN cat /on > /built', '-t', 'parent')
    idOf('FROM parent', '-t', 'child')
    expect(run('child', 'cat', '/built')).toBe('one')
    expect(inspect('child').Config.OnBuild ?? null).toBeNull()
  })

  it('gives the same digest twice with SOURCE_DATE_EPOCH', () => {
    const dockerfile = `FROM busybox
      WORKDIR /w
      RUN date > /dev/null; mkdir -p d/e; echo x > d/e/f; ln -s f d/e/l; mkfifo p; rm /etc/group
      COPY . /c`
    const epoch = ['--build-arg', 'SOURCE_DATE_EPOCH=1700000000', '--no-cache']
    const first = idOf(dockerfile, ...epoch, '-t', 'dated')
    utimesSync(join(context, 'sub/b.txt'), new Date(), new Date())
    expect(idOf(dockerfile, ...epoch)).toBe(first)
    expect(run('dated', 'stat', '-c', '%Y', '/w/d/e/f', '/c/sub/b.txt')).toBe(
      '1700000000\n1700000000',
    )
    expect(inspect('dated')).toMatchObject({ Created: '2023-11-14T22:13:20.000Z' })
  })

  it('keeps the cache when the image goes, until it is pruned', async () => {
    const dockerfile = 'FROM busybox\nRUN echo kept > /kept'
    const id = idOf(dockerfile)
    engine.succeed(['rmi', '-f', id])
    expect(endings(build(dockerfile).stderr)).toEqual(['CACHED', 'CACHED', 'DONE'])
    engine.succeed(['rmi', '-f', id])
    expect(engine.succeed(['system', 'df'])).toMatch(/^Build Cache +\d+ /m)
    expect(engine.succeed(['builder', 'prune', '-af'])).toMatch(/Total reclaimed space: [1-9]/)
    expect(endings(build(dockerfile).stderr)).toEqual(['CACHED', 'DONE', 'DONE'])
    expect(readdirSync(join(engine.dataRoot, 'build/mounts'))).toEqual([])
  })

  it('leaves nothing when it is killed, and keeps what it had done', async () => {
    const dockerfile = 'FROM busybox\nRUN echo done > /done\nRUN touch /began; sleep 1000'
    const child = engine.start(['build', '-f', '-', context], { env })
    child.stdin?.end(dockerfile)
    let shown = ''
    child.stderr?.on('data', (bytes) => {
      shown += bytes
    })
    const isRunning = () => {
      const ids = engine.succeed(['ps', '-q'])
      return ids !== ''
    }
    await until(
      () => `the command runs: ${shown}`,
      () => shown.includes('sleep 1000') && isRunning(),
    )
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('close', resolve))
    engine.succeed(['ps'])
    expect(await engine.settled()).toEqual([])
    expect(readdirSync(join(engine.dataRoot, 'build/work'))).toEqual([])
    expect(endings(build(dockerfile.replace('sleep 1000', 'true')).stderr).slice(0, 3)).toEqual([
      'CACHED',
      'CACHED',
      'DONE',
    ])
  })

  it.each<[string, string, string[], string]>([
    [
      'a command that fails',
      'FROM busybox\nRUN exit 3',
      [],
      'Dockerfile:2: the command "/bin/sh -c exit 3" did not complete: exit code 3',
    ],
    ['a program that is not there', 'FROM busybox\nRUN ["/none"]', [], 'Dockerfile:2: '],
    [
      'a file that is not there',
      'FROM busybox\nCOPY none /',
      [],
      'cannot copy "none": the build context has no such file',
    ],
    [
      'a file that is ignored',
      'FROM busybox\nCOPY ignored.o /',
      [],
      'Dockerfile:2: cannot copy "ignored.o"',
    ],
    [
      'a stage that is not there',
      'FROM busybox',
      ['--target', 'x'],
      'cannot build the target "x": Dockerfile has no such stage',
    ],
    [
      'another platform',
      'FROM busybox',
      ['--platform', 'linux/s390x'],
      'cannot build for the platform "linux/s390x"',
    ],
    ['an image without files', 'FROM scratch\nLABEL a=b', [], 'it has no files'],
    ['an option of docker that is not there', 'FROM busybox', ['--squash'], 'cannot use --squash'],
    ['a bad secret', 'FROM busybox', ['--secret', 'src=x'], 'it has no id'],
    [
      'a mount from outside',
      'FROM busybox\nRUN --mount=source=../../../etc/shadow,target=/x true',
      [],
      'of the build context: there is no such file or folder',
    ],
  ])('refuses %s in one sentence', (_name, dockerfile, args, message) => {
    const text = refusal(dockerfile, ...args)
    expect(text).toContain(message)
    expect(text.split('\n')).toHaveLength(1)
  })

  it('tells of arguments that nothing asks for', () => {
    expect(build('FROM busybox\nCOPY a.txt /', '--build-arg', 'NONE=1').stderr).toContain(
      'warning: --build-arg NONE is asked for by no ARG',
    )
  })

  it('buildImage() tells what it does, and stops when told', async () => {
    const { dataRoot, stateRoot } = engine
    const events: BuildProgress[] = []
    const options = { dataRoot, stateRoot, network: 'none', context }
    const { id, names } = await buildImage({
      ...options,
      dockerfile: { text: 'FROM busybox\nARG V\nCOPY a.txt /a\nRUN echo "said $V"' },
      tags: ['library'],
      buildArgs: { V: '3' },
      onProgress: (event) => events.push(event),
    })
    expect(names).toEqual(['docker.io/library/library:latest'])
    expect(engine.succeed(['images', '-q', '--no-trunc', 'library'])).toBe(id)
    const said = events.flatMap((event) => (event.type === 'output' ? event.bytes.toString() : []))
    expect(said.join('')).toBe('said 3\n')
    const abort = new AbortController()
    const stopped = buildImage({
      ...options,
      dockerfile: { text: 'FROM busybox\nRUN echo began; sleep 1000' },
      signal: abort.signal,
      onProgress: (event) => {
        if (event.type === 'output') abort.abort(new Error('enough'))
      },
    })
    await expect(stopped).rejects.toThrow('enough')
  })

  it('writes the id to a file, finds a Containerfile, and is quiet', () => {
    const folder = join(engine.directory, 'other')
    mkdirSync(folder)
    writeFileSync(join(folder, 'Containerfile'), 'FROM busybox\nRUN echo loud\n')
    const ids = join(engine.directory, 'id')
    const { stdout, stderr } = engine.run(['build', '-q', '--iidfile', ids, folder], { env })
    expect(stderr).toBe('')
    expect(readFileSync(ids, 'utf8')).toBe(stdout.trim())
    rmSync(folder, { recursive: true })
  })
})

describe.skipIf(missing('root', 'userns', 'command:newuidmap'))('tsrun build without root', () => {
  it('builds with subordinate ids, and what it removes stays removed', async () => {
    using user = makeOrdinaryUser()
    const at = (name: string) => join(user.directory, name)
    copyFileSync(await buildBusyboxImage(), at('busybox.tar'))
    mkdirSync(at('context'))
    writeFileSync(at('context/a'), 'one\n')
    writeFileSync(
      at('context/Dockerfile'),
      `FROM busybox
       COPY --chown=5:6 a /a
       RUN --mount=type=cache,target=/c rm -r /var/spool; mkdir -p /var/spool/new; chown 7:8 /etc/passwd; touch /c/x
       FROM busybox
       COPY --from=0 / /all
       COPY --from=0 /a /etc/passwd /var/spool /
       RUN ls /all/var/spool > /seen; stat -c %u:%g /a /passwd /all/etc/passwd >> /seen`,
    )
    user.succeed([user.tsrun, 'load', '-i', at('busybox.tar')])
    user.succeed([user.tsrun, 'build', '-q', '-t', 'mine', at('context')])
    expect(user.succeed([user.tsrun, 'run', '--rm', 'mine', 'cat', '/seen'])).toBe(
      'new\n5:6\n7:8\n7:8\n',
    )
    // Unpacked by another store it is the same.
    user.succeed([user.tsrun, 'save', '-o', at('mine.tar'), 'mine'])
    const second = ['--data-root', at('second')]
    user.succeed([user.tsrun, ...second, 'load', '-i', at('mine.tar')])
    const words = ['run', '--rm', 'mine', 'sh', '-c', 'ls /all/var/spool; stat -c %u:%g /a']
    expect(user.succeed([user.tsrun, ...second, ...words])).toBe('new\n5:6\n')
  })
})
