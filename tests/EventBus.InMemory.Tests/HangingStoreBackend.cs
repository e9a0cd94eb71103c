using System.Collections.Concurrent;
using EventBus.Conformance;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus.InMemory.Tests;

/// <summary>Stores that break a guarantee: during an outage a write does not end.</summary>
internal sealed class HangingStoreBackend : StoreBackend
{
    private TaskCompletionSource? outage;

    public override string Name => "Hanging";

    public override bool CanBreak => true;

    public override BusStores CreateStores(string isolation) => new HangingStores(this);

    public override Task BreakAsync(string isolation, CancellationToken cancellationToken)
    {
        outage = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return Task.CompletedTask;
    }

    public override Task RepairAsync(string isolation, CancellationToken cancellationToken)
    {
        outage!.SetResult();
        outage = null;
        return Task.CompletedTask;
    }

    private sealed class HangingStores(HangingStoreBackend backend) : BusStores
    {
        public override string Name => "hanging";

        public override DelayStore Delays { get; } = new HangingDelayStore(backend);
    }

    private sealed class HangingDelayStore(HangingStoreBackend backend) : DelayStore
    {
        private readonly ConcurrentDictionary<string, DateTimeOffset> dueTimes = new();

        public override async ValueTask AddAsync(Envelope envelope, DateTimeOffset dueAt, CancellationToken cancellationToken)
        {
            if (backend.outage is { } current)
            {
                await current.Task;
            }

            dueTimes.TryAdd(envelope.Id, dueAt);
        }

        public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => ValueTask.FromResult((long)dueTimes.Count);

        public override ValueTask<DueBatch<Envelope>> ClaimDueAsync(
            DateTimeOffset now,
            TimeSpan lease,
            int max,
            CancellationToken cancellationToken) => throw new NotSupportedException();

        public override ValueTask RemoveAsync(Envelope envelope, CancellationToken cancellationToken) => throw new NotSupportedException();

        public override ValueTask<IReadOnlyList<DelayedEvent>> ListAsync(int max, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public override ValueTask<bool> CancelAsync(string eventId, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public override ValueTask<long> CountDueAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
            throw new NotSupportedException();
    }
}
