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

    private readonly ConcurrencyLimiter slots = subscription.Slots;
    private readonly long blockingStamps = (long)(Blocking.TotalSeconds * environment.Time.TimestampFrequency);
    private readonly TimeProvider time = environment.Time;
    private volatile bool blocks;

    public string Name => subscription.Name;

    public int Concurrency => subscription.Subscription.Concurrency;

    /// <summary>It takes no events any more. While the bus runs, that is a fault.</summary>
    public virtual bool HasEnded => Pump.IsCompleted;

    /// <summary>A kept event waits for its turn: nothing more is to be claimed for the subscription.</summary>
    public bool RedeliveryWaits => processor.RedeliveryWaits;

    private Task Pump { get; set; } = Task.CompletedTask;

    protected SubscriptionRuntime Runtime => subscription;

    protected DeliveryProcessor Processor => processor;

    protected WorkerEnvironment Environment => environment;

    protected ChannelReader<Delivery> Deliveries { get; } = receiver.Deliveries;

    public void Start() => Pump = environment.Runner.Start($"{Name} pump", PumpAsync);

    /// <summary>Why it takes no deliveries although it runs: the store does not take what it has to keep. Null while it does.</summary>
    public string? HeldBecause => slots.Hold.Reason;

    /// <summary>Pauses the subscription when everything fails; null where that was not asked for.</summary>
    public SubscriptionCircuitBreaker? CircuitBreaker => subscription.CircuitBreaker;

    /// <summary>A delivery waits to be taken, as far as the transport can tell.</summary>
    public virtual bool HasWaiting => Deliveries.CanCount ? Deliveries.Count > 0 : Deliveries.TryPeek(out _);

    /// <summary>Takes nothing more, and gives back what was not begun.</summary>
    public ValueTask StopIntakeAsync() => receiver.StopIntakeAsync();

    /// <summary>Completes when nothing is in flight any more. Call it after <see cref="StopIntakeAsync"/>.</summary>
    public async Task DrainAsync()
    {
        await Pump;

        // A write that is held has lent its slot: it counts as one that is taken.
        await slots.TakeAllAsync();
    }

    /// <summary>Starts a failed event once more, within the limit. When the bus aborts first, the entry goes back to the store.</summary>
    /// <param name="entry">The claimed entry.</param>
    /// <param name="probe">The number of the probe that it is while the subscription is paused; 0 for none.</param>
    /// <param name="lost">Cancelled when the claim is lost.</param>
    public virtual async Task RetryAsync(FailedEvent entry, long probe, CancellationToken lost)
    {
        environment.InHandler.Value = true;
        try
        {
            await slots.TakeForRetryAsync(environment.Abort);
        }
        catch (OperationCanceledException)
        {
            await environment.Failures.GiveBackAsync(entry);
            return;
        }

        try
        {
            if (environment.Abort.IsCancellationRequested)
            {
                // The slot came from a handler that the stop has just cancelled.
                await environment.Failures.GiveBackAsync(entry);
            }
            else if (probe == 0 && CircuitBreaker is { IsPaused: true })
            {
                await environment.Failures.ReleaseAsync(entry, slots);
            }
            else
            {
                await processor.RetryAsync(entry, lost);
            }
        }
        finally
        {
            CircuitBreaker?.EndProbe(probe);
            slots.GiveBack();
        }
    }

    public async ValueTask DisposeAsync()
    {
        CircuitBreaker?.Stop(letThrough: false);
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
        while (!environment.Abort.IsCancellationRequested && CircuitBreaker is not { IsOver: true } && await Deliveries.WaitToReadAsync());
    }

    /// <summary>Handles what is waiting, and returns when nothing is.</summary>
    private async Task TakeWaitingAsync()
    {
        // The slot is held by whoever works: by this pump while it runs handlers, and by a handler that has gone its own way.
        await NextSlotAsync();
        try
        {
            // When the shutdown budget is spent nothing is begun any more, whatever the transport still holds.
            while (!environment.Abort.IsCancellationRequested && TryTake(out var delivery, out var probe))
            {
                if (blocks && slots.AnyFree && (!Deliveries.CanCount || Deliveries.Count > 0))
                {
                    environment.Runner.Observe(environment.Runner.Start($"{Name} helper", HelpAsync));
                }

                var startedAt = time.GetTimestamp();
                var handling = probe == 0 ? processor.HandleAsync(delivery, startedAt) : new ValueTask(ProbeAsync(delivery, probe));
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

    /// <summary>Takes the next delivery, unless the subscription is paused: then one, when a probe is due.</summary>
    private bool TryTake(out Delivery delivery, out long probe)
    {
        (delivery, probe) = (default, 0);
        if (CircuitBreaker?.TryEnter(out probe) == false)
        {
            return false;
        }

        var taken = Deliveries.TryRead(out delivery);
        if (!taken)
        {
            CircuitBreaker?.Withdraw(probe);
        }

        return taken;
    }

    private async Task ProbeAsync(Delivery delivery, long probe)
    {
        try
        {
            await processor.HandleAsync(delivery, time.GetTimestamp());
        }
        finally
        {
            CircuitBreaker!.EndProbe(probe);
        }
    }

    /// <summary>Takes a slot for the next delivery, and none while the failure store takes nothing, or nothing of this subscription: what fails now could not be kept. Nor while the subscription is paused.</summary>
    private async Task NextSlotAsync()
    {
        await environment.Failures.WhenWritableAsync(slots);
        if (CircuitBreaker is { } gauge)
        {
            await gauge.WhenMayEnterAsync();
        }

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
