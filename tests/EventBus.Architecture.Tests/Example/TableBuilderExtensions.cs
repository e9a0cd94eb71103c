namespace EventBus.Architecture.Tests.Example;

/// <summary>Selects the stores of the example.</summary>
internal static class TableBuilderExtensions
{
    #region use
    public static EventBusBuilder StoreInTable(this EventBusBuilder bus, DelayTable table) =>
        bus.UseStores(_ => new TableStores(table));
    #endregion
}
