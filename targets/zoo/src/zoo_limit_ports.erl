%% Sick: nine of ten ports that the node may have are open. Start the node with `+Q 1024`.
-module(zoo_limit_ports).
-export([run/1]).

run(sick) -> open(erlang:system_info(port_limit) * 9 div 10 - erlang:system_info(port_count));
run(healthy) -> open(20).

%% A driver of the VM's own without a descriptor.
open(Wanted) -> [open_port({spawn_driver, "ram_file_drv"}, []) || _ <- lists:seq(1, Wanted)].
