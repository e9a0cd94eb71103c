namespace EventBus.Proof;

/// <summary>Reads the dead letters as they are added, and records them in the ledger.</summary>
internal abstract class FuzzDeadLetters : IAsyncDisposable
{
    public static async Task<FuzzDeadLetters> OpenAsync(Stage stage, FuzzLedger ledger) => stage.Run.Store == "native"
        ? await QueuedDeadLetters.OpenAsync(new Uri(stage.RabbitMq.Address), $"{stage.Settings.Service}.dead-letters", ledger)
        : new StoredDeadLetters(await StoreProbe.OpenAsync(stage.Settings), ledger);

    /// <summary>Records the new dead letters.</summary>
    public abstract Task ReadAsync();

    public abstract ValueTask DisposeAsync();
}
