#!/usr/bin/env escript
%% SPDX-License-Identifier: GPL-2.0
%% A TLS client with Erlang's own library: client.escript NAME PORT REQUEST [OPTION=VALUE]...

-mode(compile).

main([Name, Port, File | Words]) ->
    Option = maps:from_list([list_to_tuple(string:split(W, "=")) || W <- Words]),
    {ok, _} = application:ensure_all_started(ssl),
    Common = [binary, {active, false}, {cacertfile, "ca.pem"}, {verify, verify_peer},
              {server_name_indication, Name}],
    Settings = Common ++ lists:append(maps:values(maps:map(fun setting/2, Option))),
    {ok, Request} = file:read_file(File),
    ok = io:setopts(standard_io, [{encoding, latin1}, binary]),
    Out = open_port({fd, 1, 1}, [binary, out]),
    true = port_command(Out, talk(Port, Settings, Option, Request)),
    port_close(Out).

setting("suite", Suite) ->
    [{ciphers, [Suite]}, {versions, ['tlsv1.3']}];
setting("groups", Groups) ->
    [{supported_groups, [list_to_atom(G) || G <- string:tokens(Groups, ":")]},
     {versions, ['tlsv1.3']}];
setting("version", "1.2") ->
    [{versions, ['tlsv1.2']}];
setting("alpn", Names) ->
    [{alpn_advertised_protocols, [list_to_binary(N) || N <- string:tokens(Names, ",")]}];
setting(_, _) ->
    [].

talk(Port, Settings, Option, Request) ->
    {ok, S} = ssl:connect("127.0.0.1", list_to_integer(Port), Settings, 60000),
    case Option of
        #{"update" := _} ->
            Half = byte_size(Request) div 2,
            <<First:Half/binary, Rest/binary>> = Request,
            ok = ssl:send(S, First),
            ok = ssl:update_keys(S, read_write),
            ok = ssl:send(S, Rest);
        _ ->
            ok = ssl:send(S, Request)
    end,
    receive_all(S, []).

receive_all(S, Parts) ->
    case ssl:recv(S, 0, 200000) of
        {ok, Data} -> receive_all(S, [Data | Parts]);
        {error, closed} -> iolist_to_binary(lists:reverse(Parts))
    end.
