using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Sqlite.Tests;

/// <summary>
/// Tests two buses of one application, and a service whose name looks like one of them, with one file.
/// </summary>
public sealed class SecondBusTests : IDisposable
{
    private const int Count = 20;

    private readonly TestFolder folder = new();
    private readonly ConcurrentBag<(string Bus, int Number)> handled = [];
    private readonly ConcurrentBag<(string Bus, string Key)> steps = [];
    private readonly ConcurrentBag<string> followUps = [];
    private readonly SemaphoreSlim handledEvents = new(0);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        handledEvents.Dispose();
        folder.Dispose();
    }

    [Fact]
    public async Task Buses_OfOneApplication_HandleTheirOwnEventsAndSagasOnly()
    {
        using var host = await StartAsync("shop", "billing");
        using var similar = await StartAsync("shop.billing");
        var due = DateTimeOffset.UtcNow.AddMilliseconds(300);
        (string Name, IServiceProvider Services, string? Key)[] buses = [
            ("shop", host.Services, null),
            ("shop+billing", host.Services, "billing"),
            ("shop.billing", similar.Services, null)
        ];

        foreach (var (_, services, key) in buses)
        {
            for (var number = 0; number < Count; number++)
            {
                await Bus(services, key).PublishAsync(
                    new Ping(number),
                    new PublishOptions { NotBefore = due, EventId = $"ping-{number}" },
                    Token);
            }

            Assert.Equal("errand-1", await services.GetRequiredKeyedService<ISagas>(key).StartAsync(new Errand(), "errand-1", Token));
        }

        for (var i = 0; i < buses.Length * (Count - 1); i++)
        {
            Assert.True(await handledEvents.WaitAsync(TestStores.Patience, Token), $"Only {i} events were handled.");
        }

        foreach (var (name, services, key) in buses)
        {
            await Bus(services, key).WhenIdleAsync(TestStores.Patience, Token);
            Assert.Equal(
                SagaStatus.Completed,
                (await services.GetRequiredKeyedService<ISagas>(key).WaitAsync<Errand>("errand-1", Token)).Status);

            Assert.Equal(Enumerable.Range(1, Count - 1), handled.Where(item => item.Bus == name).Select(item => item.Number).Order());
            var letter = Assert.Single(await services.GetRequiredKeyedService<IDeadLetters>(key).ListAsync(cancellationToken: Token));
            Assert.Equal("ping-0", letter.EventId);
            Assert.Single(steps, step => step.Bus == name);
        }

        // The idempotency keys for other services, and the ids of follow-up events, also differ.
        Assert.Equal(
            ["billing+errand-1/go/execute", "errand-1/go/execute", "errand-1/go/execute"],
            steps.Select(step => step.Key).Order(StringComparer.Ordinal));
        Assert.Equal(3 * (Count - 1), followUps.Distinct().Count());
        await host.StopAsync(Token);
        await similar.StopAsync(Token);
    }

    private static IEventBus Bus(IServiceProvider services, string? key) => services.GetRequiredKeyedService<IEventBus>(key);

    private async Task<IHost> StartAsync(string service, string? key = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddEventBus(bus => Configure(bus, service, service));
        if (key is not null)
        {
            builder.Services.AddKeyedEventBus(key, bus => Configure(bus, service, $"{service}+{key}"));
        }

        var host = builder.Build();
        await host.StartAsync(Token);
        return host;
    }

    private void Configure(EventBusBuilder bus, string service, string name) => bus.UseInMemory()
        .StoreInSqlite(TestStores.ConnectionString(folder["bus.db"]))
        .Retry(1, TimeSpan.FromMilliseconds(1))
        .Configure(options => options.ServiceName = service)
        .AddSaga<ErrandSaga, Errand>()
        .Use(async (context, next, token) =>
        {
            if (context.Event is StepTaken step)
            {
                steps.Add((name, step.Key));
            }

            await next(context, token);
        })
        .Subscribe<StepTaken>("steps", (_, _, _) => Task.CompletedTask)
        .Subscribe<Pong>("pongs", (_, context, _) =>
        {
            followUps.Add(context.EventId);
            return Task.CompletedTask;
        })
        .Subscribe("pings", s => s.On<Ping>(async (e, context, token) =>
        {
            // Event 0 always fails, and the next three fail once.
            if (e.Number == 0 || (e.Number < 4 && context.Attempt == 1))
            {
                throw new InvalidOperationException("fails on purpose");
            }

            handled.Add((name, e.Number));
            await context.PublishAsync(new Pong(e.Number), token);
            handledEvents.Release();
        }).Idempotent());

    [EventName("ping.sent")]
    private sealed record Ping(int Number);

    [EventName("pong.sent")]
    private sealed record Pong(int Number);

    [EventName("step.taken")]
    private sealed record StepTaken(string Key);

    private sealed record Errand;

    private sealed class ErrandSaga : Saga<Errand>
    {
        protected override void Define(SagaBuilder<Errand> saga) =>
            saga.Step("go", (context, token) => context.PublishAsync(new StepTaken(context.IdempotencyKey), token));
    }
}
