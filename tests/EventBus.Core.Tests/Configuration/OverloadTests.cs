using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Tests short forms of registrations, and exceptions that tests of an application can create.</summary>
public sealed class OverloadTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Subscribe_DelegateWithConfiguration_UsesBoth()
    {
        var attempts = 0;
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe<OrderPlaced>(
            "orders",
            (_, _, _) => Interlocked.Increment(ref attempts) > 0 ? throw new InvalidDataException("never") : Task.CompletedTask,
            orders => orders.DeadLetterOn<InvalidDataException>()));

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        Assert.Equal((1, 1L), (attempts, await running.DeadLetters.CountAsync(cancellationToken: Token)));
    }

    [Fact]
    public async Task SubscribePattern_HandlerClass_ReceivesEveryMatchingEvent()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().SubscribePattern<AuditHandler>("audit", "order.*"),
            services: services => services.AddSingleton<List<object>>());

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        Assert.Equal([new OrderPlaced("1"), "order.placed"], running.Services.GetRequiredService<List<object>>());
    }

    [Fact]
    public void PublishException_CreatedByATest_HasTheGivenValues()
    {
        var cause = new TimeoutException();

        var error = new PublishException("It is in doubt.", PublishFailure.InDoubt, "1", cause);
        var many = new PublishManyException([null, error]);

        Assert.Equal((PublishFailure.InDoubt, "1", cause), (error.Failure, error.EventId, error.InnerException));
        Assert.Equal([null, error], many.Items);
        Assert.Same(error, many.InnerException);
        Assert.Throws<ArgumentException>(() => new PublishManyException([null]));
        Assert.Equal(["wrong"], new EventBusConfigurationException(["wrong"]).Problems);
    }

    private sealed class AuditHandler(List<object> seen) : IEventHandler<object>
    {
        public Task HandleAsync(object @event, EventContext context, CancellationToken cancellationToken)
        {
            seen.Add(@event);
            seen.Add(context.EventName);
            return Task.CompletedTask;
        }
    }
}
