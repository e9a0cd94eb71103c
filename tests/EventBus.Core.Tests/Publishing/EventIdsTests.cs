namespace EventBus;

public sealed class EventIdsTests
{
    [Fact]
    public void Next_ManyIds_AreUniqueVersion7AndOrderedByTime()
    {
        var ids = new EventIds(new RandomSource());
        var start = DateTimeOffset.UnixEpoch.AddYears(50).UtcTicks;

        var made = Enumerable.Range(0, 10_000).Select(i => ids.Next(start + (i * TimeSpan.TicksPerMillisecond))).ToList();

        Assert.Equal(made.Count, made.Distinct().Count());
        Assert.All(made, id => Assert.Equal((7, 2), (id.Version, id.Variant >> 2)));
        Assert.Equal(made.Select(id => id.ToString()), made.Select(id => id.ToString()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Next_TwoSources_DoNotCollide()
    {
        var (first, second) = (new EventIds(new RandomSource()), new EventIds(new RandomSource()));

        Assert.Empty(
            Enumerable.Range(0, 1_000).Select(_ => first.Next(0)).Intersect(Enumerable.Range(0, 1_000).Select(_ => second.Next(0))));
    }

    [Fact]
    public void Next_SameSeed_SameIds() =>
        Assert.Equal(new EventIds(new RandomSource(42)).Next(0), new EventIds(new RandomSource(42)).Next(0));

    [Fact]
    public void Derive_SameInput_SameId() =>
        Assert.Equal(EventIds.Derive("shop", "event", "subscription", 1), EventIds.Derive("shop", "event", "subscription", 1));

    [Theory]
    [InlineData("shop", "event", "subscription", 2)]
    [InlineData("shop", "event", "subscriptio", 1)]
    [InlineData("shop", "even", "tsubscription", 1)]
    [InlineData("shop+billing", "event", "subscription", 1)]
    [InlineData("shope", "vent", "subscription", 1)]
    public void Derive_OtherInput_OtherId(string service, string parent, string subscription, int ordinal) =>
        Assert.NotEqual(EventIds.Derive("shop", "event", "subscription", 1), EventIds.Derive(service, parent, subscription, ordinal));

    [Fact]
    public void Derive_AnyInput_IsVersion8() => Assert.Equal(8, EventIds.Derive("shop", "event", "subscription", 1).Version);
}
