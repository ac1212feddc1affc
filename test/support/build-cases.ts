/** Dockerfiles of ordinary shape with their contexts: what two builders must make the same of. */
import { execFileSync } from 'node:child_process'
import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeXattrs } from '../../src/native/xattrs.ts'
import { withFile } from './with-file.ts'

export interface BuildCase {
  readonly name: string
  readonly dockerfile: string
  /** Makes the context, which is empty and has the Dockerfile written into it afterwards. */
  readonly context?: (folder: string) => void
  /** Options that both commands have. */
  readonly options?: readonly string[]
  /** Built first, as an image of that name. */
  readonly first?: { readonly tag: string; readonly dockerfile: string }
}

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
}

export const BUILD_CASES: readonly BuildCase[] = [
  {
    name: 'several stages',
    dockerfile: `
FROM busybox AS build
RUN mkdir -p /out/sub && echo built > /out/app && chown 5:6 /out/app && chmod 4755 /out/app && \\
    ln -s app /out/link && ln /out/app /out/sub/hard && mkfifo /out/fifo && chmod 1777 /out/sub
FROM scratch AS unused
COPY missing /
FROM busybox
COPY --from=build /out /app/
COPY --from=0 --chown=8:9 /out/app /out/link /own/
COPY --from=build /out/sub /app
CMD ["/app/app", "--now"]
`,
  },
  {
    name: 'ARG before FROM, variables',
    options: ['--build-arg', 'NAME=given', '--build-arg', 'UNSET'],
    dockerfile: `
ARG BASE=busybox
ARG VERSION=1.2
FROM \${BASE}:latest
ARG VERSION
ARG NAME=default
ARG EMPTY
ARG UNSET=left
ENV V=$VERSION N=\${NAME:-none} E="\${EMPTY:-was empty}" \\
    P=/opt/\${NAME}:$PATH
ENV OLD old style value
LABEL name="$NAME" "with space"=' $NAME ' version=\${VERSION}
RUN echo "$V $N $E $NAME $VERSION $UNSET" > /values
WORKDIR /srv/$NAME
ENTRYPOINT exec top -b
CMD echo ignored
`,
  },
  {
    name: 'COPY globs and attributes',
    context: (folder) => {
      write(folder, {
        'a.txt': 'a',
        'b.txt': 'b',
        'c.md': 'c',
        'src/x.c': 'x',
        'src/deep/y.c': 'y',
        'ü ä': 'space',
      })
      // No set-ID bits: buildah takes them away, docker keeps them.
      chmodSync(join(folder, 'src/x.c'), 0o751)
      chmodSync(join(folder, 'src/deep'), 0o770)
      symlinkSync('a.txt', join(folder, 'to-a'))
      symlinkSync('src', join(folder, 'to-src'))
      symlinkSync('/nowhere', join(folder, 'src/dangling'))
      linkSync(join(folder, 'src/x.c'), join(folder, 'src/hard.c'))
      withFile(join(folder, 'src/x.c'), (fd) => writeXattrs(fd, [['user.tsrun', Buffer.from('v')]]))
      execFileSync('truncate', ['-s', '20M', join(folder, 'src/sparse')])
      execFileSync('chown', ['-R', '7:7', folder])
    },
    dockerfile: `
FROM busybox
WORKDIR /w
COPY *.txt c.md glob/
COPY src dir
COPY src/*.c src/d*/y.c one/
COPY to-a to-src link/
COPY ["ü ä", "odd/"]
COPY a.txt new/file
COPY a.txt b.txt .
COPY --chown=1000 a.txt /own/number
COPY --chown=nobody:www-data src /own/named
COPY --chmod=0640 a.txt src/x.c /mode/
`,
  },
  {
    name: '.dockerignore with exceptions',
    context: (folder) =>
      write(folder, {
        '.dockerignore':
          '# comment\n*.md\n!README.md\n**/node_modules\n/build/*\n!build/keep\n  secret?.txt  \n.git\n',
        'README.md': 'r',
        'other.md': 'o',
        'sub/deep.md': 'stays: the pattern is of the top',
        'node_modules/a': 'a',
        'sub/node_modules/b': 'b',
        'build/out': 'o',
        'build/keep/k': 'k',
        'secret1.txt': 's',
        'secret12.txt': 's',
        '.git/config': 'g',
      }),
    dockerfile: 'FROM busybox\nCOPY . /ctx/\nCOPY build /build\n',
  },
  {
    name: 'ONBUILD',
    first: {
      tag: 'localhost/onbuild-base',
      dockerfile: `
FROM busybox
ONBUILD COPY app.txt /app/
ONBUILD RUN cat /app/app.txt > /copied
ONBUILD ENV FROM_BASE=yes
ONBUILD USER 12
`,
    },
    context: (folder) => write(folder, { 'app.txt': 'app' }),
    dockerfile: 'FROM localhost/onbuild-base\nRUN id -u > /tmp/user\n',
  },
  {
    name: 'cache mounts and a bind of the context',
    context: (folder) => write(folder, { 'in.txt': 'bound' }),
    dockerfile: `
FROM busybox
RUN --mount=type=cache,target=/cache,id=oracle echo one >> /cache/log && cp /cache/log /first
RUN --mount=type=cache,target=/cache,id=oracle wc -l < /cache/log > /lines
RUN --mount=type=bind,source=in.txt,target=/in.txt cat /in.txt > /bound
`,
  },
  {
    name: 'secrets',
    options: ['--secret', 'id=token,src=../token'],
    dockerfile: `
FROM busybox
RUN --mount=type=secret,id=token wc -c < /run/secrets/token > /length
RUN --mount=type=secret,id=token,target=/etc/token,mode=0440,uid=3 stat -c '%a %u' /etc/token > /mode
`,
  },
  // Without an entry for `./` and without --chown: docker gives neither to what is there, buildah both.
  {
    name: 'ADD of archives',
    context: (folder) => {
      write(folder, { 't/bin/tool': 'tool', 't/etc/conf': 'conf', 'plain.gz.txt': 'text' })
      chmodSync(join(folder, 't/bin'), 0o750)
      symlinkSync('tool', join(folder, 't/bin/link'))
      linkSync(join(folder, 't/etc/conf'), join(folder, 't/etc/hard'))
      const tar = (...args: string[]) => execFileSync('tar', ['-C', join(folder, 't'), ...args])
      tar('--owner=5', '--group=6', '-czf', join(folder, 'a.tgz'), 'bin', 'etc')
      tar('--owner=7', '--group=8', '-cf', join(folder, 'b.tar'), 'bin')
    },
    dockerfile: `
FROM busybox
ADD a.tgz /opt/
ADD b.tar plain.gz.txt /plain/
COPY a.tgz /copied/
`,
  },
  // CMD and ENTRYPOINT as lists: docker puts SHELL before their shell forms, this buildah always `/bin/sh -c`.
  {
    name: 'what a container of it is like',
    dockerfile: `
FROM busybox
MAINTAINER somebody <some@body.example>
SHELL ["/bin/sh", "-ec"]
RUN echo shell > /shell
EXPOSE 80 443/tcp 53/udp
VOLUME /data /logs
VOLUME ["/json"]
USER www-data
WORKDIR relative
WORKDIR /abs
WORKDIR below
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --timeout=3s --start-period=1m --retries=2 CMD wget -q localhost || exit 1
ENTRYPOINT ["top", "-b"]
CMD ["-n", "1"]
`,
  },
  {
    name: 'copies over what is there',
    context: (folder) => {
      write(folder, { 'tree/d/new': 'n', 'tree/d/both': 'context', 'tree/e/f': 'f', file: 'file' })
      chmodSync(join(folder, 'tree/d'), 0o700)
    },
    dockerfile: `
FROM busybox
RUN mkdir -p /t/d /t/real && echo base > /t/d/both && echo old > /t/d/old && chown 4:4 /t/d && \\
    ln -s /t/real /t/link && ln -s d/old /t/to-old && rm -r /var/www
COPY tree /t/
COPY file /t/link/
COPY file /t/to-old
COPY file /t/made/deep/
RUN rm /t/d/both && mkdir /t/d/both
`,
  },
]
