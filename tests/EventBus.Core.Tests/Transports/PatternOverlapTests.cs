namespace EventBus.Transports;

public sealed class PatternOverlapTests
{
    [Theory]
    [InlineData("order.placed", "order.placed")]
    [InlineData("order.placed", "order.*")]
    [InlineData("order.*", "*.placed")]
    [InlineData("#", "order.placed")]
    [InlineData("order.#", "#.placed")]
    [InlineData("order.#", "order")]
    [InlineData("a.#.z", "#.m.#")]
    [InlineData("#.#.#", "*.*")]
    public void Exists_PatternsThatShareAName_IsTrue(string one, string other)
    {
        Assert.True(PatternOverlap.Exists([one, other]));
        Assert.True(PatternOverlap.Exists([other, one]));
    }

    [Theory]
    [InlineData("order.placed", "order.shipped")]
    [InlineData("order.*", "stock.*")]
    [InlineData("order.*", "order.*.late")]
    [InlineData("order.#.a", "#.stock.*.b")]
    [InlineData("*.*", "a.b.c")]
    public void Exists_PatternsWithoutACommonName_IsFalse(string one, string other)
    {
        Assert.False(PatternOverlap.Exists([one, other]));
        Assert.False(PatternOverlap.Exists([other, one]));
    }

    [Fact]
    public void Exists_ThreePatternsThatOverlapInPairsOnly_IsFalse()
    {
        Assert.True(PatternOverlap.Exists(["a.*", "*.b"]));
        Assert.False(PatternOverlap.Exists(["a.*", "*.b", "*.c"]));
    }

    [Fact]
    public void Exists_ManyWildcards_EndsSoon()
    {
        var one = string.Concat(Enumerable.Repeat("#.", 98)) + "a";
        var other = string.Concat(Enumerable.Repeat("#.*.", 45)) + "b";

        Assert.False(PatternOverlap.Exists([one, other]));
    }
}
