using EventBus.Stores;

namespace EventBus.Architecture.Tests.Example;

#region package
/// <summary>The package of the example: it stores delayed events, and no others.</summary>
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
