using System.Diagnostics.CodeAnalysis;
using EventBus.Stores;

namespace EventBus;

/// <summary>The stores that RabbitMQ itself provides: retries and dead letters in queues.</summary>
[SuppressMessage("Design", "CA1001", Justification = "The bus calls CloseAsync, which disposes the fields.")]
internal sealed class RabbitMqStores : BusStores
{
    private readonly RabbitMqFailureQueues queues;
    private readonly RabbitMqDeadLetterQueue deadLetters;
    private readonly RabbitMqRetryStore retries;

    public RabbitMqStores(RabbitMqConnector connector)
    {
        queues = new RabbitMqFailureQueues(connector);
        deadLetters = new RabbitMqDeadLetterQueue(connector, queues);
        retries = new RabbitMqRetryStore(connector, queues, deadLetters);
    }

    public override string Name => "RabbitMQ";

    public override RetryStore Failures => retries;

    public override ValueTask OpenAsync(StoreSetup setup, CancellationToken cancellationToken) =>
        queues.OpenAsync(setup, cancellationToken);

    public override async ValueTask CloseAsync()
    {
        if (queues.IsOpen)
        {
            await retries.DisposeAsync();
            await deadLetters.DisposeAsync();
            await queues.DisposeAsync();
        }
    }
}
