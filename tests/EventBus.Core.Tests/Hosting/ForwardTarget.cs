using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>The backend of a bus to which others forward: keeps what it accepted, and answers as a test says.</summary>
internal sealed class ForwardTarget : ScriptedTransport
{
    private readonly List<Envelope> accepted = [];
    private readonly TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Answers an event. Default: accepts it.</summary>
    public Func<Envelope, PublishOutcome> Answer { get; set; } = _ => PublishOutcome.Accepted;

    /// <summary>The start waits for this. Default: completed.</summary>
    public Task Opened { get; set; } = Task.CompletedTask;

    /// <summary>The answers wait for this. Default: completed.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    public IReadOnlyList<Envelope> Accepted
    {
        get
        {
            lock (accepted)
            {
                return [.. accepted];
            }
        }
    }

    /// <summary>Adds a bus with this backend, under the key <c>analytics</c>.</summary>
    public void Add(IServiceCollection services) =>
        services.AddKeyedEventBus("analytics", bus => bus.UseTransport("UseTarget()", _ => this));

    /// <summary>Completes when an event has arrived, before it is answered.</summary>
    public Task WhenAskedAsync() => asked.Task.WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken);

    /// <summary>Returns the accepted events once there are as many.</summary>
    public async Task<IReadOnlyList<Envelope>> WhenAcceptedAsync(int count = 1)
    {
        await Until.TrueAsync($"{count} events are forwarded", () => Accepted.Count >= count, TestContext.Current.CancellationToken);
        return Accepted;
    }

    public override async ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) =>
        await Opened.WaitAsync(cancellationToken);

    public override async ValueTask PublishAsync(
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        CancellationToken deadline)
    {
        asked.TrySetResult();
        await Gate.WaitAsync(deadline);
        for (var i = 0; i < batch.Length; i++)
        {
            outcomes.Span[i] = Answer(batch.Span[i]);
            if (outcomes.Span[i].Status == PublishStatus.Accepted)
            {
                lock (accepted)
                {
                    accepted.Add(batch.Span[i]);
                }
            }
        }
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        ValueTask.FromResult<Receiver>(new ScriptedReceiver(_ => { }));
}
