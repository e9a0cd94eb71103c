using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Runs the code of docs/failures.md, "How attempts are counted".</summary>
public sealed class RetryOnceAMinuteTests
{
    private readonly FakeTimeProvider time = new();
    private readonly Seen starts = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Retry_WithEqualDelays_StartsTheHandlerOnceAMinuteAndOnceMoreThanItRetries()
    {
        await using var running = await RunningBus.StartAsync(
            bus =>
            {
                bus.UseInMemory();
                #region once-a-minute
                bus.Subscribe<OrderPlaced, SendReceipt>(s => s.Retry(retry =>
                {
                    retry.MaxRetryAttempts = 60; // For an hour: 61 attempts, then a dead letter.
                    retry.Delay = TimeSpan.FromMinutes(1);
                    retry.BackoffFactor = 1; // Each delay is as long as the first.
                    retry.Jitter = 0; // By default a delay is up to 20 % shorter or longer.
                }));
                #endregion
            },
            time,
            services => services.AddSingleton(starts));

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();
        for (var minute = 1; minute <= 60; minute++)
        {
            Assert.Equal(minute, starts.Items.Count);
            await running.PassAsync(time, TimeSpan.FromMinutes(1));
        }

        await running.PassAsync(time, TimeSpan.FromHours(1));
        Assert.Equal(61, starts.Items.Count);
        Assert.Equal(61, Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token)).Attempts);
    }

    public sealed class SendReceipt(Seen starts) : IEventHandler<OrderPlaced>
    {
        public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken)
        {
            starts.Add(order.OrderId);
            throw new HttpRequestException("connection refused");
        }
    }
}
