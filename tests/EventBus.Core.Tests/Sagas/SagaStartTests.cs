using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Sagas;

/// <summary>Tests the start of a saga, its id, and the lookup of sagas.</summary>
public sealed class SagaStartTests
{
    private readonly Script script = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Start_SameIdTwiceAndAfterTheEnd_IsOneSaga()
    {
        await using var bus = await script.StartTripsAsync();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => bus.RunTripAsync()));
        var again = await bus.RunTripAsync();

        Assert.True(again.IsCompleted);
        Assert.Equal(["+flight", "+hotel", "+payment"], script.Calls);
        Assert.Equal(1, await bus.SagaManager().CountAsync(cancellationToken: Token));
    }

    [Fact]
    public async Task Start_WithoutAnId_ReturnsANewOneEachTime()
    {
        await using var bus = await script.StartTripsAsync();

        var ids = new[]
        {
            await bus.Sagas().StartAsync(new Trip("ada"), cancellationToken: Token),
            await bus.Sagas().StartAsync(new Trip("ada"), cancellationToken: Token)
        };

        Assert.Equal(2, ids.Distinct().Count());
        Assert.True((await bus.Sagas().WaitAsync<Trip>(ids[1], Token)).IsCompleted);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("a\n")]
    public async Task Start_InvalidId_NamesTheAllowedCharacters(string id)
    {
        await using var bus = await script.StartTripsAsync();

        Assert.Contains(
            "letters, digits",
            (await Assert.ThrowsAsync<ArgumentException>(() => bus.Sagas().StartAsync(new Trip("ada"), id, Token))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_IdOfASagaOfAnotherName_IsAnError()
    {
        await using var bus = await script.StartTripsAsync(configure: bus => bus.AddSaga<OtherSaga, Other>());
        await bus.RunTripAsync("same");

        Assert.Contains(
            "'book-trip'",
            (await Assert.ThrowsAsync<ArgumentException>(() => bus.Sagas().StartAsync(new Other(1), "same", Token))).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "'book-trip'",
            (await Assert.ThrowsAsync<ArgumentException>(() => bus.Sagas().WaitAsync<Other>("same", Token))).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "AddSaga",
            (await Assert.ThrowsAsync<ArgumentException>(() => bus.Sagas().StartAsync("text", null, Token))).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "no saga 'unknown'",
            (await Assert.ThrowsAsync<ArgumentException>(() => bus.Sagas().WaitAsync<Other>("unknown", Token))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_ByNameAndStatus_ShowsThePagesTheLatestFirst()
    {
        await using var bus = await script.StartTripsAsync();
        foreach (var id in (string[])["a", "b", "c"])
        {
            await bus.RunTripAsync(id);
        }

        script.Fail("+flight");
        await bus.RunTripAsync("d");
        var done = await bus.SagaManager().ListAsync(new SagaFilter { Status = SagaStatus.Completed, Take = 2 }, Token);
        Assert.Equal(["c", "b"], done.Select(info => info.Id));
        Assert.Equal(["a"], (await bus.SagaManager()
            .ListAsync(new SagaFilter { Status = SagaStatus.Completed, Before = done[^1].Number }, Token)).Select(info => info.Id));
        Assert.Equal(3, await bus.SagaManager().CountAsync(new SagaFilter { Saga = "book-trip", Status = SagaStatus.Completed }, Token));
        Assert.Equal(0, await bus.SagaManager().CountAsync(new SagaFilter { Saga = "other" }, Token));
        var info = (await bus.Sagas().FindAsync("d", Token))!;
        Assert.Equal(
            ["started", "failed for good: InvalidOperationException: planned", "may have had an effect", "compensated", "compensated"],
            info.History.Select(entry => entry.Text));
        Assert.Null(await bus.Sagas().FindAsync("unknown", Token));
    }

    [Fact]
    public async Task Bus_NotStartedOrWithoutSagas_IsAnError()
    {
        using var host = RunningBus.Build(bus => bus.UseInMemory());
        var sagas = (ISagas)host.Services.GetService(typeof(ISagas))!;

        Assert.Contains(
            "AddSaga",
            (await Assert.ThrowsAsync<EventBusException>(() => sagas.StartAsync(new Trip("ada"), null, Token))).Message,
            StringComparison.Ordinal);
    }

    internal sealed record Other(int Number);

    internal sealed class OtherSaga : Saga<Other>
    {
        protected internal override void Define(SagaBuilder<Other> saga) => saga.Step("only", (_, _) => Task.CompletedTask);
    }
}
