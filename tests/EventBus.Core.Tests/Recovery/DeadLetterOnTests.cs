using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

public sealed class DeadLetterOnTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task DeadLetterOn_Predicate_DecidesByTheException(bool onTheBus)
    {
        await using var running = await RunningBus.StartAsync(
            bus =>
            {
                bus.UseInMemory().Retry(1, TimeSpan.FromMinutes(1)).Subscribe("mail", s =>
                {
                    s.On<OrderPlaced>((e, _, _) => throw new HttpRequestException(
                        e.OrderId,
                        null,
                        e.OrderId == "gone" ? System.Net.HttpStatusCode.Gone : System.Net.HttpStatusCode.BadGateway));
                    _ = onTheBus ? s : s.DeadLetterOn<HttpRequestException>(error => error.StatusCode == System.Net.HttpStatusCode.Gone);
                });
                _ = onTheBus ? bus.DeadLetterOn<HttpRequestException>(error => error.StatusCode == System.Net.HttpStatusCode.Gone) : bus;
            },
            new FakeTimeProvider());

        await running.Bus.PublishAsync(new OrderPlaced("gone"), Token);
        await running.Bus.PublishAsync(new OrderPlaced("busy"), Token);
        await running.WhenIdleAsync();

        var letter = Assert.Single(await running.DeadLetters.ListAsync(new DeadLetterFilter(), Token));
        Assert.Equal((DeadLetterReason.PermanentFailure, 1), (letter.Reason, letter.Attempts));
        Assert.Contains("gone", letter.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DeadLetterOn_PredicateThrows_IsLoggedAndTheEventIsRetried()
    {
        var (time, logs, attempts) = (new FakeTimeProvider(), new LogMemory(), 0);
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .Retry(1, TimeSpan.FromMinutes(1))
                .DeadLetterOn<IOException>(_ => throw new InvalidOperationException("bad predicate"))
                .Subscribe<OrderPlaced>("mail", (_, _, _) =>
                    ++attempts == 1 ? throw new IOException("down") : Task.CompletedTask),
            time,
            services => services.AddLogging(logging => logging.AddProvider(logs)));

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();
        await running.PassAsync(time, TimeSpan.FromMinutes(2));

        Assert.Equal(2, attempts);
        Assert.Empty(await running.DeadLetters.ListAsync(new DeadLetterFilter(), Token));
        Assert.Contains(logs.At(LogLevel.Error), line => line.Contains("DeadLetterOn", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Retry_OptionsOfASubscription_OverrideThoseOfTheBus()
    {
        var time = new FakeTimeProvider();
        var starts = new List<DateTimeOffset>();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Retry(r => (r.MaxRetryAttempts, r.Jitter) = (9, 0)).Subscribe("mail", s => s
                .Retry(r => (
                    r.MaxRetryAttempts,
                    r.Delay,
                    r.BackoffFactor,
                    r.MaxDelay) = (3, TimeSpan.FromSeconds(10), 3, TimeSpan.FromSeconds(20)))
                .On<OrderPlaced>((_, _, _) =>
                {
                    starts.Add(time.GetUtcNow());
                    throw new IOException();
                })),
            time);

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();
        for (var i = 0; i < 3; i++)
        {
            await running.PassAsync(time, TimeSpan.FromSeconds(20));
        }

        Assert.Equal(4, starts.Count);
        Assert.Single(await running.DeadLetters.ListAsync(new DeadLetterFilter(), Token));
    }
}
