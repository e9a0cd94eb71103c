using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>Receives the events of one subscription.</summary>
internal sealed class KafkaReceiver : Receiver
{
    private readonly Channel<Delivery> deliveries = Channel.CreateBounded<Delivery>(1);

    private KafkaReceiver(Subscription subscription)
    {
        Subscription = subscription;
    }

    public Subscription Subscription { get; }

    /// <summary>The topics that it reads now.</summary>
    public IReadOnlyList<string> Topics => [];

    /// <summary>True after the intake was stopped or the receiver was disposed.</summary>
    public bool IsStopping => false;

    /// <summary>Why it receives nothing, as a sentence for operators; null if it works.</summary>
    public string? Failure => null;

    /// <summary>What an operator should investigate, as a sentence; null for nothing.</summary>
    public string? Warning => null;

    public override ChannelReader<Delivery> Deliveries => deliveries.Reader;

    /// <summary>Opens a receiver.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="connector">The clients.</param>
    /// <param name="names">The topics and the group.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public static Task<KafkaReceiver> OpenAsync(
        Subscription subscription, KafkaConnector connector, KafkaTopology names, CancellationToken cancellationToken) =>
        Task.FromResult(new KafkaReceiver(subscription));

    public override ValueTask StopIntakeAsync()
    {
        deliveries.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    public override ValueTask DisposeAsync() => StopIntakeAsync();
}
