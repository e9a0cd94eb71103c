using System.Diagnostics.CodeAnalysis;
using EventBus.Stores;

namespace EventBus;

/// <summary>The stores that RabbitMQ itself provides: retries and dead letters in queues.</summary>
[SuppressMessage("Design", "CA1001", Justification = "The bus calls CloseAsync, which disposes the fields.")]
internal sealed class RabbitMqStores : BusStores
{
    private readonly RabbitMqFailureQueues queues;
    private readonly RabbitMqDeadLetterQueue deadLetters;
    private readonly RabbitMqRetryStore retryStore;

    public RabbitMqStores(RabbitMqConnector connector)
    {
        queues = new RabbitMqFailureQueues(connector);
        deadLetters = new RabbitMqDeadLetterQueue(connector, queues);
        retryStore = new RabbitMqRetryStore(connector, queues, deadLetters);
    }

    public override string Name => "RabbitMQ";

    public override RetryStore Failures => retryStore;

    public override ValueTask OpenAsync(StoreSetup setup, CancellationToken cancellationToken) =>
        queues.OpenAsync(setup, cancellationToken);

    public override async ValueTask CloseAsync()
    {
        // The stores have no channels if the bus has not opened them.
        if (queues.IsOpen)
        {
            await retryStore.DisposeAsync();
            await deadLetters.DisposeAsync();
            await queues.DisposeAsync();
        }
    }
}
