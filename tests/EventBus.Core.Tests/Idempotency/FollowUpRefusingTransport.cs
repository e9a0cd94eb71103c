using System.Text;
using EventBus.Transports;

namespace EventBus;

/// <summary>A transport that delivers the messages of a test, and refuses the first published event.</summary>
internal sealed class FollowUpRefusingTransport : ScriptedTransport, IDeliverySettler
{
    private readonly TaskCompletionSource refused = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<string> sent = [];
    private ScriptedReceiver? receiver;
    private TaskCompletionSource settled = new();

    public Task Refused => refused.Task;

    public string? FirstRefused { get; private set; }

    public IReadOnlyList<string> Sent
    {
        get
        {
            lock (sent)
            {
                return [.. sent];
            }
        }
    }

    /// <summary>Publishes an event through the bus: the transport delivers it instead of sending it.</summary>
    public Task DeliverAsync(RunningBus running, OrderPlaced @event) =>
        running.Bus.PublishAsync(@event, TestContext.Current.CancellationToken);

    /// <summary>Delivers a received event, and waits until it is settled.</summary>
    public Task DeliverBytesAsync(string id, string json, bool idIsDerived = false)
    {
        settled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        receiver!.Deliver(new Delivery(new Envelope(
            new EnvelopeAttributes { Id = id, Name = "order.placed", IdIsDerived = idIsDerived },
            Encoding.UTF8.GetBytes(json)), this));
        return settled.Task.WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken);
    }

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        for (var i = 0; i < batch.Length; i++)
        {
            var envelope = batch.Span[i];
            outcomes.Span[i] = PublishOutcome.Accepted;
            if (envelope.Name == "order.placed")
            {
                receiver!.Deliver(new Delivery(envelope, this));
            }
            else if (FirstRefused is null)
            {
                FirstRefused = envelope.Id;
                outcomes.Span[i] = PublishOutcome.Failed(new IOException("the broker is unreachable"));
                refused.SetResult();
            }
            else
            {
                lock (sent)
                {
                    sent.Add(envelope.Id);
                }
            }
        }

        return ValueTask.CompletedTask;
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        ValueTask.FromResult<Receiver>(receiver = new ScriptedReceiver(_ => { }));

    public ValueTask AckAsync(in Delivery delivery)
    {
        settled.TrySetResult();
        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        receiver!.Deliver(new Delivery(delivery.Envelope, this, earlierDeliveries: 1));
        return ValueTask.CompletedTask;
    }
}
