/**
 * What docker 28.2.2 printed for `docker inspect --format TEMPLATE c1`, recorded from a dockerd whose container c1 had these
 * fields: the same templates must give the same texts, and be refused where docker refuses them.
 */
import { describe, expect, it } from 'vitest'
import { parseTemplate } from '../../../src/cli/go-template.ts'
import { TsrunError } from '../../../src/errors.ts'

const c1 = {
  Name: '/c1',
  Config: {
    Image: 'busybox',
    Env: ['B=2', 'A=1'],
    Cmd: ['sh', '-c', 'echo hi'],
    Entrypoint: undefined,
    Volumes: undefined,
    Labels: new Map([
      ['a', 'b'],
      ['c', 'd'],
      ['esc', '<b>&"q"'],
      ['x', 'y'],
    ]),
  },
  HostConfig: { Memory: 67108864 },
  State: { Status: 'created', Running: false, Dead: false, Error: '' },
  Mounts: [],
}

const PRINTED: readonly (readonly [string, string])[] = [
  ['{{.Name}}', '/c1'],
  ['{{.Config.Labels}}', 'map[a:b c:d esc:<b>&"q" x:y]'],
  ['{{json .Config.Labels}}', '{"a":"b","c":"d","esc":"<b>&\\"q\\"","x":"y"}'],
  ['{{.Config.Env}}', '[B=2 A=1]'],
  ['{{.Config.Cmd}}', '[sh -c echo hi]'],
  ['{{json .Config.Cmd}}', '["sh","-c","echo hi"]'],
  ['{{join .Config.Cmd ","}}', 'sh,-c,echo hi'],
  ['{{.HostConfig.Memory}}', '67108864'],
  ['{{.State.Running}}', 'false'],
  ['{{.State.Status | upper}}', 'CREATED'],
  ['{{title .State.Status}}', 'Created'],
  ['{{printf "%s-%d" .Name .HostConfig.Memory}}', '/c1-67108864'],
  [
    '{{printf "%q %v %5d|%-8s|%08.3f|%x" .Name .State.Running 42 "ab" 3.14159 255}}',
    '"/c1" false    42|ab      |0003.142|ff',
  ],
  ['{{printf "%t %c %U %e" true 65 65 1234.5}}', 'true A U+0041 1.234500e+03'],
  ['{{printf "%d" "x"}}', '%!d(string=x)'],
  ['{{printf "%s" 5}}', '%!s(int=5)'],
  ['{{printf "%d %d" 1}}', '1 %!d(MISSING)'],
  ['{{printf "%d" 1 2}}', '1%!(EXTRA int=2)'],
  ['{{printf "%%"}}', '%'],
  ['{{printf "%T" .Name}}', 'string'],
  ['{{range .Config.Env}}[{{.}}]{{end}}', '[B=2][A=1]'],
  ['{{range $i, $e := .Config.Env}}{{$i}}={{$e}};{{end}}', '0=B=2;1=A=1;'],
  ['{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}', 'a=b;c=d;esc=<b>&"q";x=y;'],
  ['{{range .Config.Volumes}}x{{else}}none{{end}}', 'none'],
  ['{{if .State.Running}}up{{else if .State.Dead}}dead{{else}}down{{end}}', 'down'],
  ['{{if and .Name (not .State.Running)}}y{{end}}', 'y'],
  ['{{if or .State.Running .Name}}{{or .State.Running .Name}}{{end}}', '/c1'],
  ['{{with .Config}}{{.Image}}{{end}}', 'busybox'],
  ['{{with .State.Error}}e{{else}}no error{{end}}', 'no error'],
  ['{{with $x := .Config.Image}}{{$x}}{{$.Name}}{{end}}', 'busybox/c1'],
  ['{{$n := .Name}}{{$n}}{{$n = "z"}}{{$n}}', '/c1z'],
  ['{{if true}}{{$q := 1}}{{$q}}{{end}}', '1'],
  ['{{index .Config.Env 0}}', 'B=2'],
  ['{{index .Config.Labels "a"}}', 'b'],
  ['{{index .Config.Labels "missing"}}|', '|'],
  ['{{(index .Config.Env 1)}}', 'A=1'],
  ['{{len .Config.Env}} {{len .Name}} {{len .Config.Labels}}', '2 3 4'],
  ['{{slice .Name 1 3}}', 'c1'],
  ['{{slice .Config.Env 1}}', '[A=1]'],
  ['{{split "a,b,c" ","}}', '[a b c]'],
  [
    '{{eq .State.Status "created"}} {{eq 1 2 1}} {{ne 1 2}} {{lt 1 2}} {{ge "b" "a"}}',
    'true true true true true',
  ],
  ['{{gt .HostConfig.Memory 1000}}', 'true'],
  ['{{println .Name 1 true}}x', '/c1 1 true\nx'],
  ['{{print 1 2 "a" "b" 3}}', '1 2ab3'],
  ['{{- .Name -}}   x', '/c1x'],
  ['a  {{- " " -}}  b', 'a b'],
  ['{{/* comment */}}x', 'x'],
  ['{{- /* c */ -}} y', 'y'],
  ['{{.Config.Labels.a}} {{.Config.Labels.zz}}', 'b <no value>'],
  ['}}x', '}}x'],
  ['{{"a\\tb\\x41\\u00e9\\101"}}', 'a\tbAéA'],
  ['{{`raw\\n`}}', 'raw\\n'],
  ["{{'a'}}", '97'],
  ['{{1.5}} {{1e3}} {{0x1F}} {{-3}} {{1_000}}', '1.5 1000 31 -3 1000'],
  ['{{html "<a&b>"}} {{js "it\'s"}} {{urlquery "a b&c"}}', "&lt;a&amp;b&gt; it\\'s a+b%26c"],
  ['{{json .HostConfig.Memory}} {{json .Name}} {{json "<&>"}}', '67108864 "/c1" "<&>"'],
  ['{{pad "x" 2 3}}|', '  x   |'],
  ['{{truncate "abcdef" 3}} {{truncate "ab" 10}}', 'abc ab'],
  ['{{lower "ABC"}} {{upper "abc"}} {{title "abc def"}}', 'abc ABC Abc Def'],
  ['{{"abc" | printf "%s-%s" "x"}}', 'x-abc'],
  ['{{.Name | len | printf "%03d"}}', '003'],
  ['{{range $i, $e := .Config.Env}}{{if $i}}, {{end}}{{$e}}{{end}}', 'B=2, A=1'],
  ['{{range .Config.Env}}{{.}}{{break}}{{end}}', 'B=2'],
  ['{{range .Config.Env}}{{continue}}{{.}}{{end}}z', 'z'],
  ['{{define "T"}}[{{.}}]{{end}}{{template "T" .Name}}', '[/c1]'],
  ['{{json .Mounts}}', '[]'],
  ['{{json .Config.Entrypoint}}', 'null'],
  ['{{not true}} {{and 1 0 2}} {{or 0 "" "x"}}', 'false 0 x'],
  ['{{if eq .State.Status "created" "x"}}ok{{end}}', 'ok'],
  ['{{((.Name))}}', '/c1'],
  ['{{(.Config).Image}}', 'busybox'],
]

const REFUSED: readonly string[] = [
  '{{eq 1 "a"}}',
  '{{lt "a" 1}}',
  '{{.Nope}}',
  '{{.Config.Nope}}',
  '{{nofunc .Name}}',
  '{{.Name',
  '{{if .Name}}',
  '{{end}}',
  '{{else}}',
  '{{.Name}}{{',
  '{{true}} {{nil}}',
  '{{index .Config.Env 9}}',
  '{{index .Config.Env "a"}}',
  '{{add 1 2}}',
  '{{table "x"}}',
  '{{.Name.X}}',
  '{{$x}}',
  '{{1 | 2}}',
  '{{.Name 1}}',
  '{{eq}}',
  '{{call .Name}}',
  '{{if}}x{{end}}',
  '{{range}}x{{end}}',
  '{{with .Nope}}x{{end}}',
  '{{"x" "y"}}',
  '{{len 3}}',
  '{{not}}',
]

describe('templates of docker', () => {
  it.each(PRINTED)('%s', (template, expected) => {
    expect(parseTemplate(template).render(c1)).toBe(expected)
  })

  it.each(REFUSED)('refuses %s', (template) => {
    expect(() => parseTemplate(template).render(c1)).toThrow(TsrunError)
  })
})
