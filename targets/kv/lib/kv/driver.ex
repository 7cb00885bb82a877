defmodule KV.Driver do
  @moduledoc "What is not the guide's: the load, and the socket through which a script asks for it."
  use Supervisor

  def start_link(_opts), do: Supervisor.start_link(__MODULE__, :ok, name: __MODULE__)

  @impl true
  def init(:ok) do
    load = {Task.Supervisor, name: KV.LoadSupervisor}
    Supervisor.init([load | control(System.get_env("KV_CONTROL_FILE"))], strategy: :rest_for_one)
  end

  defp control(nil), do: []
  defp control(file), do: [{KV.Control, file}]
end
