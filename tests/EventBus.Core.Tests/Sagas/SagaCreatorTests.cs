using EventBus.Stores;

namespace EventBus.Sagas;

/// <summary>Tests how the answers of a store decide whether a saga was started.</summary>
public sealed class SagaCreatorTests
{
    private readonly InMemorySagaStore store = new(1_000);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Create_IdInUseAndStoreThatFailsToFindItOnce_AsksAgain()
    {
        var entry = new SagaEntry
        {
            Id = "trip-1",
            Saga = "book-trip",
            Status = SagaStatus.Running,
            StartedAt = DateTimeOffset.UnixEpoch,
            ChangedAt = DateTimeOffset.UnixEpoch,
            Content = "{}"u8.ToArray(),
        };
        await store.CreateAsync(entry, Token);
        var creator = new SagaCreator(new FailingFindStore(store), RunningBus.Patience, TimeProvider.System);

        var created = await creator.CreateAsync(entry, Token);

        Assert.Equal(1, created?.Version);
    }

    /// <summary>A store whose first search fails.</summary>
    private sealed class FailingFindStore(SagaStore inner) : DelegatingSagaStore(inner)
    {
        private int finds;

        public override ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken) =>
            Interlocked.Increment(ref finds) == 1
                ? throw new InvalidOperationException("The index is being rebuilt.")
                : base.FindAsync(id, cancellationToken);
    }
}
