/** Command lines of docker's own documentation, unchanged but for the name of the program. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { shellWord } from '../support/shell-word.ts'

/** Names that the documentation runs, all of them busybox here. */
const IMAGES = ['ubuntu', 'debian', 'alpine', 'fedora', 'httpd']

/** The line as in the reference of docker's command line, what it prints, and its exit code when it is not 0. */
const LINES: readonly (readonly [line: string, prints: RegExp, status?: 3 | 125 | 127])[] = [
  ['docker run busybox echo "hello world"', /^hello world$/],
  [
    'docker run --name test -d busybox sh -c "while true; do $(echo date); sleep 1; done"',
    /^\w{64}$/,
  ],
  ['docker ps --filter status=running', /busybox .* Up .* test$/m],
  ['docker ps --format "{{.ID}}: {{.Command}}"', /^\w{12}: "sh -c while true; d…"$/],
  [String.raw`docker ps --format "table {{.ID}}\t{{.Labels}}"`, /^CONTAINER ID +LABELS/],
  // What was written a second ago, or before.
  ['sleep 1.1; docker logs -f --until=1s test', /\d\d:\d\d:\d\d/],
  ['docker logs --tail 1 --timestamps test', /^20\d\d-\S+Z \w+/],
  ['docker run --cidfile ./docker_test.cid ubuntu echo "test"', /^test$/],
  ['docker inspect --format="{{.Config.Image}}" $(cat docker_test.cid)', /^ubuntu$/],
  ['docker run -w /path/to/dir/ -i ubuntu pwd', /^\/path\/to\/dir\/?$/],
  ['export VAR1=value1; docker run --env VAR1 --env VAR2 ubuntu env | grep VAR', /^VAR1=value1$/],
  ['docker run --env-file env.list ubuntu env | grep VAR', /^VAR1=value1\nVAR2=value2$/],
  ['docker run --ulimit nofile=1024:1024 --rm debian sh -c "ulimit -n"', /^1024$/],
  [
    'docker run --read-only --mount type=volume,target=/icanwrite busybox touch /icanwrite/here',
    /^$/,
  ],
  [
    'docker run --rm --tmpfs /run:rw,noexec,nosuid,size=65536k ubuntu mount | grep " /run "',
    /noexec/,
  ],
  ['docker create -v /data --name data ubuntu', /^\w{64}$/],
  ['docker run --rm --volumes-from data ubuntu ls -la /data', /^total 0|\.$/m],
  ['docker volume create hello', /^hello$/],
  ['docker run -v hello:/world busybox ls /world', /^$/],
  ['docker volume ls', /^local +hello$/m],
  ['docker run --name mycontainer -d -i -t alpine /bin/sh', /^\w{64}$/],
  ['docker exec -d mycontainer touch /tmp/execWorks', /^$/],
  ['docker exec -e VAR_A=1 -e VAR_B=2 mycontainer env', /VAR_A=1\nVAR_B=2/],
  ['docker exec -w /root mycontainer pwd', /^\/root$/],
  ['docker top mycontainer', /\/bin\/sh/],
  ['docker pause mycontainer', /^mycontainer$/],
  ['docker ps --filter "status=paused" --format "{{.Names}}"', /^mycontainer$/],
  ['docker unpause mycontainer', /^mycontainer$/],
  ['docker cp ./some_file mycontainer:/tmp', /^$/],
  ['docker exec mycontainer cat /tmp/some_file', /^ERROR nothing$/],
  ['docker cp mycontainer:/tmp/some_file - | tar x -O | grep "ERROR"', /^ERROR nothing$/],
  ['docker cp mycontainer:/tmp/ ./app_logs && ls app_logs', /execWorks\nsome_file/],
  ['docker diff mycontainer', /^A \/tmp\/execWorks$/m],
  ['docker commit mycontainer svendowideit/testimage:version3', /^sha256:\w{64}$/],
  [
    'docker commit --change "ENV DEBUG=true" mycontainer svendowideit/testimage:version4',
    /^sha256/,
  ],
  ['docker inspect -f "{{ .Config.Env }}" svendowideit/testimage:version4', /^\[.*DEBUG=true\]$/],
  ['docker images svendowideit/testimage', /version3[\s\S]*version4|version4[\s\S]*version3/],
  ['docker export --output="latest.tar" mycontainer && tar tf latest.tar', /tmp\/some_file/],
  ['docker rename mycontainer my_new_container', /^$/],
  ['docker container ls --no-trunc --quiet', /^\w{64}\n\w{64}$/],
  ['docker restart -t 0 my_new_container', /^my_new_container$/],
  ['docker kill --signal=SIGKILL my_new_container', /^my_new_container$/],
  ['docker wait my_new_container', /^137$/],
  ['docker start my_new_container', /^my_new_container$/],
  ['docker stop --time=0 my_new_container', /^my_new_container$/],
  ['docker ps -a --filter "exited=137" --format "{{.Names}}"', /^my_new_container$/],
  [
    'docker events --since 10m --until 0s --filter "event=rename"',
    /container rename \w{64} .*oldName/,
  ],
  ['docker tag httpd fedora/httpd:version1.0', /^$/],
  [
    'docker save -o fedora-all.tar fedora && docker load --input fedora-all.tar',
    /^Loaded image: fedora/,
  ],
  ['docker rmi fedora/httpd:version1.0', /^Untagged: fedora\/httpd:version1.0$/],
  ['docker image inspect --format "{{.Os}}" alpine', /^linux$/],
  ['docker rm --force test', /^test$/],
  ['docker rm --volumes data', /^data$/],
  ['docker container prune --force', /^Deleted Containers:\n(\w{64}\n)+\nTotal reclaimed space: /],
  ['docker volume rm hello', /^hello$/],
  ['docker exec my_new_container true', /^$/, 125],
  ['docker run --rm busybox sh -c "exit 3"', /^$/, 3],
  ['docker run --rm busybox nothing', /^$/, 127],
]

describe.skipIf(missing('root', 'cgroup2'))('everyday command lines', () => {
  const engine = new TestEngine()
  const work = join(engine.directory, 'work')
  const define = `tsrun() { ${engine.commandLine([]).map(shellWord).join(' ')} "$@"; }`

  beforeAll(async () => {
    await engine.loadBusybox()
    for (const name of IMAGES) engine.succeed(['tag', 'busybox', name])
    mkdirSync(work)
    writeFileSync(join(work, 'env.list'), '# a comment\nVAR1=value1\nVAR2=value2\n')
    writeFileSync(join(work, 'some_file'), 'ERROR nothing\n')
  })
  afterAll(async () => {
    engine.run(['volume', 'prune', '--all', '--force'])
    expect(await engine.settled()).toEqual([])
    engine.succeed(['system', 'reset', '--force'])
    engine[Symbol.dispose]()
  })

  it.each(LINES.map(([line, prints, status = 0]) => ({ line, prints, status })))(
    '$line',
    ({ line, prints, status }) => {
      const script = `${define}\n${line.replaceAll(/\bdocker (?=[a-z])/g, 'tsrun ')}`
      const result = spawnSync('sh', ['-c', script], {
        cwd: work,
        // The default network, too, as people have it.
        env: { ...process.env, TSRUN_NETWORK: '' },
        encoding: 'utf8',
        timeout: 60_000,
      })
      expect({ ...result, stdout: result.stdout.trim() }, result.stderr).toMatchObject({
        status,
        stdout: expect.stringMatching(prints),
      })
    },
  )
})
