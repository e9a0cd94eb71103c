using System.Runtime.CompilerServices;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Publishes events in the order of the calls, and waits for their outcomes. Events that cannot be sent at once wait in
/// a queue, and fail at their deadline.
/// </summary>
internal sealed class KafkaPublisher : IAsyncDisposable
{
    private const int PreparedAtOnce = 128;

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(1);

    private readonly KafkaConnector connector;
    private readonly KafkaHeaderCache commonHeaders;
    private readonly KafkaTopics topics;
    private readonly KafkaSender sender;
    private readonly SendQueue queue;
    private readonly CancellationTokenSource stop = new();
    private Task running = Task.CompletedTask;
    private int disposed;

    public KafkaPublisher(KafkaConnector connector, KafkaTopology names, KafkaTopics topics)
    {
        this.connector = connector;
        commonHeaders = new KafkaHeaderCache(names.Source);
        this.topics = topics;
        Reach = new ClusterReach(connector);
        sender = new KafkaSender(connector, topics, Reach);
        queue = new SendQueue(sender, topics, connector.Address);
        sender.Unblocked = queue.Wake;
    }

    /// <summary>Knows whether the cluster answers.</summary>
    public ClusterReach Reach { get; }

    /// <summary>The error because of which nothing can be sent; null if there is none.</summary>
    public string? Failure => sender.Failure;

    public void Start() => running = Task.WhenAll(
        sender.RunAsync(stop.Token),
        Reach.RunAsync(stop.Token),
        queue.RunAsync(connector.Time, connector.Log, stop.Token));

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        if (batch.IsEmpty)
        {
            return;
        }

        var call = new PublishCall(batch.Length);
        PrepareAndSend(batch.Span, call, deadline);

        if (!call.Done.IsCompleted)
        {
            var closing = new Closing(this, call);
            using var late = deadline.UnsafeRegister(static state => ((Closing)state!).Run(), closing);
            using var stopped = stop.Token.UnsafeRegister(static state => ((Closing)state!).Run(), closing);
            await call.Done;
        }

        call.CopyTo(outcomes.Span);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) != 0)
        {
            return;
        }

        // What was sent is flushed first, so that its outcome is known.
        await sender.DisposeAsync();
        await stop.CancelAsync();
        await running.WaitAsync(StopTimeout, connector.Time).Quietly();
    }

    /// <summary>
    /// Serializes the events and sends them, or lets those wait that cannot be sent yet. The broker receives the first
    /// ones of a list while the later ones are serialized.
    /// </summary>
    private void PrepareAndSend(ReadOnlySpan<Envelope> batch, PublishCall call, CancellationToken deadline)
    {
        bool isOver;
        do
        {
            Prepare(batch[..Math.Min(call.Prepared + PreparedAtOnce, batch.Length)], call);
            isOver = deadline.IsCancellationRequested || stop.IsCancellationRequested;
            if (!isOver)
            {
                queue.Send(call);
            }
        }
        while (call.Prepared < batch.Length);

        if (isOver)
        {
            CloseAtDeadline(call);
        }
    }

    /// <summary>
    /// Serializes the events that are not prepared yet. Those that no record can carry are rejected.
    /// </summary>
    private void Prepare(ReadOnlySpan<Envelope> batch, PublishCall call)
    {
        for (var i = call.Prepared; i < batch.Length; i++)
        {
            var envelope = batch[i];
            try
            {
                var topic = topics.TopicOf(envelope.Name);
                if (KafkaWireFormat.FindProblem(envelope) is { } problem)
                {
                    throw new EventBusException(problem);
                }

                var message = KafkaWireFormat.Write(envelope, commonHeaders);
                call.Set(i, new KafkaRecord(topic, envelope.Key, message, message.Value.Length + (message.Key?.Length ?? 0)));
            }
            catch (EventBusException exception)
            {
                // The key is needed to hold back the later events of the key.
                call.Set(i, new KafkaRecord("", envelope.Key, null!, 0));
                call.Report(i, PublishOutcome.Rejected(exception));
            }
        }

        call.Prepared = batch.Length;
    }

    private void CloseAtDeadline(PublishCall call) => call.Close(
        () => KafkaOutcomes.NotSentInTime(connector.Address, sender.LastError ?? Reach.LastError),
        () => KafkaOutcomes.NotConfirmedInTime(connector.Address));

    private sealed class Closing(KafkaPublisher owner, PublishCall call)
    {
        public void Run() => owner.CloseAtDeadline(call);
    }
}
