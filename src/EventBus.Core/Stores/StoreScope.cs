namespace EventBus.Stores;

/// <summary>What a store refuses.</summary>
public enum StoreScope
{
    /// <summary>Every write: it is full, locked, read-only or loading. The bus takes no new events until the write succeeds.</summary>
    Store,

    /// <summary>What one subscription adds: there is no room for it. The bus takes no new events of that subscription until there is.</summary>
    Subscription,

    /// <summary>This entry: it cannot be written or read, however often that is tried. The bus makes it a dead letter, reduced to what can be written.</summary>
    Entry,
}
