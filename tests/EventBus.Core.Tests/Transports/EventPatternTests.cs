using EventBus.Transports;

namespace EventBus;

public sealed class EventPatternTests
{
    [Theory]
    [InlineData("order.placed", "order.placed", true)]
    [InlineData("order.placed", "order.paid", false)]
    [InlineData("order.*", "order.placed", true)]
    [InlineData("order.*", "order.line.added", false)]
    [InlineData("*.placed", "order.placed", true)]
    [InlineData("order.#", "order.placed", true)]
    [InlineData("order.#", "order.line.item.added", true)]
    [InlineData("order.#", "orders.placed", false)]
    [InlineData("#", "order.placed", true)]
    [InlineData("#.completed", "saga.step.completed", true)]
    [InlineData("#.step.#", "saga.step.completed", true)]
    [InlineData("#.step.#", "step.done", true)]
    [InlineData("a.#.b.#.c", "a.b.x.b.c", true)]
    [InlineData("a.#.b.#.c", "a.x.c", false)]
    [InlineData("*.#", "order.placed", true)]
    [InlineData("*.*.*", "order.placed", false)]
    [InlineData("order.placed.#", "order.placed", true)]
    public void Matches_OfAnyPattern_FollowsTheGrammarOfTopicExchanges(string pattern, string name, bool expected) =>
        Assert.Equal(expected, EventPattern.Parse(pattern).Matches(name));

    [Theory]
    [InlineData("")]
    [InlineData("Order.*")]
    [InlineData("order.**")]
    [InlineData("order.")]
    [InlineData("order.pl*")]
    public void Parse_BadPattern_NamesTheFault(string pattern) =>
        Assert.Contains("pattern", Assert.Throws<FormatException>(() => EventPattern.Parse(pattern)).Message, StringComparison.Ordinal);

    [Fact]
    public void Matches_ManyWildcards_StaysFast()
    {
        var pattern = EventPattern.Parse(string.Join('.', Enumerable.Repeat("#.a", 40)) + ".b");
        var name = string.Join('.', Enumerable.Repeat("a", 90));

        Assert.False(pattern.Matches(name));
    }
}
