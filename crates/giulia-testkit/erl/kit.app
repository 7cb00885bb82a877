{application, kit, [
    {description, "The test kit's way into a node"},
    {vsn, "1"},
    {modules, [kit_channel]},
    {registered, []},
    {applications, [kernel, stdlib]}
]}.
