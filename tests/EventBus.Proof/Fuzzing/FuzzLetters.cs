namespace EventBus.Proof;

/// <summary>Reads the dead letters while they come, and enters them in the ledger.</summary>
internal abstract class FuzzLetters : IAsyncDisposable
{
    public static async Task<FuzzLetters> OpenAsync(Stage stage, FuzzLedger ledger) => stage.Run.Store == "native"
        ? await QueuedLetters.OpenAsync(new Uri(stage.RabbitMq.Address), $"{stage.Settings.Service}.dead-letters", ledger)
        : new StoredLetters(await StoreProbe.OpenAsync(stage.Settings), ledger);

    /// <summary>Enters what is new.</summary>
    public abstract Task ReadAsync();

    public abstract ValueTask DisposeAsync();
}
