using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>Publishes events in the order of the calls, and waits for their outcomes.</summary>
internal sealed class RabbitMqPublisher(PublishLoop publishLoop, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan FlushTimeout = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource stop = new();
    private readonly TaskCompletionSource flushed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // The number of publish calls in progress, plus 1 until the publisher is disposed.
    private int users = 1;
    private int disposed;
    private Task running = Task.CompletedTask;

    public bool IsOpen => publishLoop.IsOpen;

    public Exception? LastError => publishLoop.LastError;

    /// <summary>Completes when events can be sent for the first time; fails if the exchange is refused.</summary>
    public Task Opened => publishLoop.Opened;

    /// <summary>Completes when the first attempt to open has failed.</summary>
    public Task Failed => publishLoop.Failed;

    public void Start() => running = publishLoop.RunAsync(stop.Token);

    public async ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        if (batch.IsEmpty)
        {
            return;
        }

        var call = new PublishBatch(batch, outcomes);
        Interlocked.Increment(ref users);
        try
        {
            using var late = deadline.UnsafeRegister(static state => ((PublishBatch)state!).CloseAtDeadline(), call);
            using var stopped = stop.Token.UnsafeRegister(static state => ((PublishBatch)state!).CloseAtStop(), call);

            await publishLoop.Queue.AddAsync(call, deadline);
            await call.Done;
        }
        catch (OperationCanceledException)
        {
            call.CloseAtDeadline();
        }
        catch (ChannelClosedException)
        {
            call.CloseAtStop();
        }
        finally
        {
            Leave();
        }

        if (deadline.IsCancellationRequested)
        {
            publishLoop.AbandonUnconfirmed();
            NameBroker(outcomes.Span);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            publishLoop.Queue.Complete();
            Leave();
        }

        await flushed.Task.WaitAsync(FlushTimeout, time).Quietly();
        await stop.CancelAsync();
        await running.WaitAsync(FlushTimeout, time).Quietly();
    }

    /// <summary>Names the broker and the cause in the errors of the events that the deadline has ended.</summary>
    private void NameBroker(Span<PublishOutcome> outcomes)
    {
        var address = publishLoop.Address;
        var cause = RabbitMqErrors.CauseOf(LastError) ?? "The broker blocks publishers, or is too slow for the number of events.";
        foreach (ref var outcome in outcomes)
        {
            outcome = outcome switch
            {
                { Status: PublishStatus.Failed, Error: TimeoutException } =>
                    PublishOutcome.Failed(new TimeoutException($"The event could not be sent to RabbitMQ at {address} in time: {cause}")),
                { Status: PublishStatus.InDoubt, Error: TimeoutException } =>
                    PublishOutcome.InDoubt(new TimeoutException($"RabbitMQ at {address} did not confirm the event in time.")),
                _ => outcome,
            };
        }
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref users) == 0)
        {
            flushed.TrySetResult();
        }
    }
}
