using EventBus.Stores;

namespace EventBus.Architecture.Tests.Example;

#region package
/// <summary>The stores of the example: only the store of delayed events.</summary>
internal sealed class TableStores(DelayTable table) : BusStores
{
    private readonly TableDelayStore delays = new(table);

    public override string Name => "a table";

    public override DelayStore Delays => delays;

    public override ValueTask OpenAsync(StoreSetup setup, CancellationToken cancellationToken)
    {
        delays.Service = setup.ServiceName;
        return ValueTask.CompletedTask;
    }
}
#endregion
