using System.Threading.Channels;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Takes the deliveries of one subscription and has them handled, never more at once than the limit.</summary>
/// <remarks>
/// One pump reads. A handler that completes at once runs on the pump itself; one that awaits gives the pump its thread back and keeps its slot. Once a handler
/// was seen to hold its thread, every pump calls a helper before it starts the next one: as many as there are slots, for as long as events are waiting.
/// </remarks>
internal class SubscriptionWorker(SubscriptionRuntime subscription, Receiver receiver, DeliveryProcessor processor, WorkerEnvironment environment) : IAsyncDisposable
{
    // A handler that holds its thread longer than this is worth a second thread.
    private static readonly TimeSpan Blocking = TimeSpan.FromMilliseconds(1);

    private readonly HandlerSlots slots = subscription.Slots;
    private readonly DeadlineTokens deadlines = new(environment.Time, subscription.HandlerTimeout, TimeSpan.FromSeconds(5), environment.Time.TimestampFrequency, environment.Abort);
    private readonly long blockingStamps = (long)(Blocking.TotalSeconds * environment.Time.TimestampFrequency);
    private readonly TimeProvider time = environment.Time;
    private Task pump = Task.CompletedTask;
    private volatile bool blocks;

    public string Name => subscription.Name;

    public int Concurrency => subscription.Subscription.Concurrency;

    /// <summary>It takes no events any more. While the bus runs, that is a fault.</summary>
    public virtual bool HasEnded => pump.IsCompleted;

    protected SubscriptionRuntime Runtime => subscription;

    protected DeliveryProcessor Processor => processor;

    protected WorkerEnvironment Environment => environment;

    protected ChannelReader<Delivery> Deliveries { get; } = receiver.Deliveries;

    public void Start() => pump = environment.Runner.Start($"{Name} pump", PumpAsync);

    /// <summary>Takes nothing more, and gives back what was not begun.</summary>
    public ValueTask StopIntakeAsync() => receiver.StopIntakeAsync();

    /// <summary>Completes when nothing is in flight any more. Call it after <see cref="StopIntakeAsync"/>.</summary>
    public virtual async Task DrainAsync()
    {
        await pump;
        await environment.Failures.WhenStoreIsUpAsync();
        await slots.TakeAllAsync();
    }

    /// <summary>Starts a failed event once more, within the limit. When the bus aborts first, the entry stays in the store, and its lease runs out.</summary>
    public async Task RetryAsync(FailedEvent entry, FailureStore store)
    {
        environment.InHandler.Value = true;
        await slots.TakeForRetryAsync(environment.Abort);
        try
        {
            await processor.RetryAsync(entry, store, HandlerToken(time.GetTimestamp()));
        }
        finally
        {
            slots.GiveBack();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await receiver.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected virtual async Task PumpAsync()
    {
        environment.InHandler.Value = true;
        do
        {
            await TakeWaitingAsync();
        }
        while (!environment.Abort.IsCancellationRequested && await Deliveries.WaitToReadAsync());
    }

    protected CancellationToken HandlerToken(long timestamp) => deadlines.Token(timestamp);

    /// <summary>Handles what is waiting, and returns when nothing is.</summary>
    private async Task TakeWaitingAsync()
    {
        // The slot is held by whoever works: by this pump while it runs handlers, and by a handler that has gone its own way.
        await NextSlotAsync();
        try
        {
            // When the shutdown budget is spent nothing is begun any more, whatever the transport still holds.
            while (!environment.Abort.IsCancellationRequested && Deliveries.TryRead(out var delivery))
            {
                if (blocks && slots.AnyFree && (!Deliveries.CanCount || Deliveries.Count > 0))
                {
                    environment.Runner.Observe(environment.Runner.Start($"{Name} helper", HelpAsync));
                }

                var startedAt = time.GetTimestamp();
                var handling = processor.HandleAsync(delivery, HandlerToken(startedAt));
                blocks = time.GetTimestamp() - startedAt > blockingStamps;
                if (!handling.IsCompletedSuccessfully)
                {
                    environment.Runner.Observe(ReleaseSlotAfterAsync(handling));
                    await NextSlotAsync();
                }
                else if (slots.RetriesWait)
                {
                    slots.GiveBack();
                    await NextSlotAsync();
                }
            }
        }
        finally
        {
            slots.GiveBack();
            environment.Idle.Set();
        }
    }

    private Task HelpAsync()
    {
        environment.InHandler.Value = true;
        return TakeWaitingAsync();
    }

    /// <summary>Takes a slot for the next delivery, and none while the failure store is down: what fails now could not be kept.</summary>
    private async Task NextSlotAsync()
    {
        await environment.Failures.WhenStoreIsUpAsync();
        await slots.TakeAsync();
    }

    private async Task ReleaseSlotAfterAsync(ValueTask handling)
    {
        try
        {
            await handling;
        }
        finally
        {
            slots.GiveBack();
            environment.Idle.Set();
        }
    }
}

/// <summary>What every worker of a bus shares.</summary>
internal sealed record WorkerEnvironment(TimeProvider Time, BackgroundRunner Runner, AsyncLocal<bool> InHandler, IdleSignal Idle, FailureRecorder Failures, CancellationToken Abort);
