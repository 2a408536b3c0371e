// 페이지의 모든 한국어 문구. 키는 `en.ts`와 같아야 한다.

import type { Texts } from "../words";

export const ko: Texts = {
  "app.skip": "본문으로 건너뛰기",
  "app.views": "보기",
  "app.language": "언어",
  "app.theme.dark": "어둡게",
  "app.theme.light": "밝게",
  "app.welcome": "인코딩이 왜 통하는지, 내 사진으로 직접 확인해 보세요.",
  "app.about":
    "좌표 네트워크는 이미지를 위치의 함수로 학습합니다. 얼마나 잘 학습하는지는 위치 인코딩에 달려 있고, 그 결과는 학습 전에 탄젠트 커널(NTK)로 알 수 있습니다. 사진을 올리면 이론이 예측하는 결과를 바로 볼 수 있습니다.",
  "app.private": "모든 계산은 이 컴퓨터에서만 이루어지며, 외부로 아무것도 보내지 않습니다.",

  "state.connecting": "연결 중 …",
  "state.closed": "서버가 응답하지 않습니다. `ntkit studio`가 실행 중인지 확인하세요. 다시 연결하는 중 …",
  "state.full": "스튜디오 탭이 너무 많이 열려 있습니다. 하나를 닫고 새로고침하세요.",
  "state.error": "처리하지 못했습니다:",

  "signal.drop": "사진을 여기에 놓거나 파일을 선택하세요",
  "signal.choose": "파일 선택",
  "signal.examples": "예제:",
  "signal.parrots": "앵무새",
  "signal.houses": "집",
  "signal.alps": "알프스",
  "signal.reading": "{name} 읽는 중 …",
  "signal.what": "{width} × {height} 픽셀",
  "signal.small": "{width} × {height} 픽셀, 여기서는 {w} × {h}로 축소",
  "signal.too_large": "{name}의 크기가 {most} MiB를 넘습니다.",

  "steps.infinite": "무한히",
  "steps.one": "1스텝",
  "steps.many": "{n}스텝",

  "view.bandwidth": "대역폭",
  "bandwidth.title": "대역폭은 얼마가 좋을까?",
  "bandwidth.lead":
    "곡선을 따라 끌어 보세요. 대역폭이 너무 작으면 흐려지고, 너무 크면 보지 못한 픽셀이 노이즈로 채워집니다. 그 사이 어딘가에서 네트워크는 보지 못한 부분까지 그려 냅니다.",
  "bandwidth.chart": "대역폭에 따른 예측 PSNR, 학습 예산마다 곡선 하나",
  "bandwidth.x": "대역폭 (이미지 한 변당 주기 수)",
  "bandwidth.y.held_out": "PSNR (dB), 검증 픽셀",
  "bandwidth.y.train": "PSNR (dB), 학습 픽셀",
  "bandwidth.bicubic": "바이큐빅 보간",
  "bandwidth.budget": "학습 예산",
  "bandwidth.slider": "대역폭",
  "bandwidth.value": "한 변당 {b}주기",
  "bandwidth.under": "너무 작게",
  "bandwidth.best": "최적",
  "bandwidth.over": "너무 크게",
  "bandwidth.jump": "바로 가기",
  "bandwidth.steps": "최대 예산",
  "bandwidth.optimiser": "옵티마이저",
  "bandwidth.adam": "Adam",
  "bandwidth.sgd": "경사 하강법",
  "bandwidth.goal": "평가 기준",
  "bandwidth.generalise": "검증 픽셀",
  "bandwidth.fit": "학습 픽셀",
  "bandwidth.zoom": "확대해서 보기 (4×)",
  "bandwidth.progress": "대역폭 {all}개 중 {known}개 계산",
  "bandwidth.picture.here": "예측: 대역폭 {b}, {steps} 학습",
  "bandwidth.picture.true": "원본",
  "bandwidth.picture.bicubic": "바이큐빅 보간",
  "bandwidth.quality": "검증 {held_out}, 학습 {train}",
  "bandwidth.verdict.under":
    "최적보다 작습니다. 이 예산으로는 세부를 다 배우지 못해 경계가 흐릿하게 남습니다.",
  "bandwidth.verdict.best":
    "이 예산에서 최적과 0.3 dB 이내입니다. 그래프의 띠가 그 범위를 나타냅니다.",
  "bandwidth.verdict.over":
    "최적보다 큽니다. 커널의 폭이 픽셀 간격보다 좁아서 픽셀마다 따로 학습되고, 그 사이의 픽셀은 배우지 못합니다.",
  "bandwidth.what.title": "무엇을 보고 있나",
  "bandwidth.what.1":
    "네트워크는 가로세로로 한 픽셀씩 건너뛰어 전체의 4분의 1만 보고 학습하며, 나머지 픽셀로 평가받습니다. 인코딩은 위치 $x$를 무작위 주파수 $b$의 코사인과 사인으로 바꾸는데, 이 주파수의 크기를 정하는 값이 대역폭 $\\sigma$입니다.",
  "bandwidth.what.2":
    "폭이 넓은 네트워크에서는 남은 오차가 탄젠트 커널 $K$를 통해 줄어듭니다. 이미지의 각 모드는 자기 고유값의 속도로 사라집니다. $\\sigma$가 클수록 커널이 좁아져 고주파를 더 빨리 배우는 대신, 이웃 픽셀끼리 서로 알려 주는 것이 줄어듭니다.",
  "bandwidth.try.title": "이렇게 해 보세요",
  "bandwidth.try.1": "가장 작은 예산과 가장 큰 예산을 차례로 골라 보세요. 최적 대역폭이 어느 쪽으로 움직이나요? 왜 그럴까요?",
  "bandwidth.try.2":
    "무한히 학습한 곡선을 보세요. 절벽 왼쪽에서는 대역폭이 거의 상관없습니다. 차이는 거기까지 얼마나 빨리 가느냐입니다.",
  "bandwidth.try.3":
    "평가 기준을 학습 픽셀로 바꿔 보세요. 이번에는 큰 대역폭이 이깁니다. 그런데도 큰 대역폭을 고르면 안 되는 이유는 무엇일까요?",
  "bandwidth.try.4":
    "바이큐빅 보간과 비교해 보세요. 사진에서는 끝까지 학습한 최적의 커널과 거의 같습니다.",
  "bandwidth.limits.title": "어디까지 믿을 수 있나",
  "bandwidth.limits.1":
    "이 곡선은 예측값입니다. 은닉층 4개, 폭 256인 ReLU 네트워크에 무작위 주파수 256개, 학습률 {lr}를 가정하며, 무작위 초기 함수는 뺐습니다. 폭이 이 정도인 네트워크는 학습 속도가 이론과 최대 3분의 1까지 다를 수 있습니다. Adam의 시간 척도는 여러 사진의 평균을 썼습니다. `ntkit tune`은 짧은 실제 학습으로 이 척도를 보정하고, 축소 모델을 학습시켜 최종 선택을 합니다.",
  "bandwidth.formula.encoding": "감마 x는 2 파이 b와 x의 내적의 코사인과 사인이고, b는 표준편차 시그마인 정규분포를 따른다",
  "bandwidth.formula.flow": "f(t)는 K 별, K의 역행렬, 단위행렬에서 e의 마이너스 tK 제곱을 뺀 것, y의 곱이다",

  "view.kernel": "커널",
  "kernel.title": "픽셀 하나가 다른 픽셀에게 가르치는 것",
  "kernel.lead":
    "픽셀을 클릭해 보세요. 그 픽셀의 오차는 탄젠트 커널에 비례해 함수 전체를 움직입니다. 인코딩이 없으면 이미지 전체가 거의 똑같이 움직이고, 인코딩이 있으면 이웃이 두드러지게 움직입니다.",
  "kernel.picture": "원본: 클릭해서 픽셀을 고르세요",
  "kernel.pixel": "픽셀",
  "kernel.column": "열",
  "kernel.row": "행",
  "kernel.bandwidth": "대역폭",
  "kernel.frequencies": "주파수 개수",
  "kernel.depth": "은닉층 수",
  "kernel.encoded": "가우시안 푸리에 특징",
  "kernel.raw": "원래 좌표",
  "kernel.chart": "픽셀이 있는 행을 따라 본 커널, 인코딩이 있을 때와 없을 때",
  "kernel.x": "픽셀로부터의 거리 (픽셀)",
  "kernel.y": "커널 (자기 자신에서 1)",
  "kernel.named": "폭 {width}픽셀 · 최솟값 {floor}",
  "kernel.named.raw": "최솟값 {floor}: 이미지 전체가 움직임",
  "kernel.lobe": "{at}픽셀 거리에 사이드 로브 {lobe}",
  "kernel.nolobe": "사이드 로브 없음",
  "kernel.scale": "두 지도는 같은 색을 씁니다. 인코딩이 있을 때의 최솟값이 가장 어둡고 1이 가장 밝습니다. 폭과 사이드 로브는 행을 따라 자른 단면에서 잰 값으로, 폭은 절반만큼 떨어진 곳에서, 로브는 떨어진 양에 대한 비율로 잽니다.",
  "kernel.what.title": "무엇을 보고 있나",
  "kernel.what.1":
    "경사 하강법의 짧은 한 스텝에서, 점 $x_0$의 오차 $r$는 다른 점 $x$의 함수값을 탄젠트 커널만큼 움직입니다. 커널은 모든 가중치 $\\theta$에 대한 기울기의 내적입니다.",
  "kernel.what.2":
    "원래 좌표에서는 이웃한 픽셀들의 기울기가 거의 같아서 어떤 픽셀도 주변과 따로 배울 수 없습니다. 무작위 주파수를 쓰면 멀리 떨어진 점들의 특징이 거의 직교합니다. 그러면 커널은 모든 픽셀이 공유하는 값까지 떨어지고, 그 위에 좁은 봉우리만 남습니다. 가우시안 특징에서는 커널이 차이 $x - x_0$에만 의존하므로 봉우리의 모양은 어디서나 같습니다.",
  "kernel.try.title": "이렇게 해 보세요",
  "kernel.try.1": "대역폭을 움직여 보세요. 폭과 대역폭의 곱은 거의 일정합니다. 이미지의 샘플링 간격과는 어떤 관계일까요?",
  "kernel.try.2": "주파수를 8개로 줄여 보세요. 사이드 로브가 생겨 먼 픽셀을 이웃으로 착각하게 됩니다. 몇 개면 충분히 작아지나요?",
  "kernel.try.3": "층을 늘려 보세요. 가운데가 더 뾰족해지고, 모든 픽셀이 공유하는 최솟값이 달라집니다.",
  "kernel.try.4": "대역폭 보기에서는 네트워크가 한 픽셀씩 건너뛰며 배웁니다. 곡선이 떨어지기 시작하는 대역폭에서 봉우리는 학습 픽셀 몇 개를 덮고 있나요?",
  "kernel.limits.title": "어디까지 믿을 수 있나",
  "kernel.limits.1":
    "PyTorch 기본 초기화를 쓰고 폭이 무한히 넓은 네트워크의, 학습 시작 시점의 커널입니다. 폭이 256이면 실제 커널은 이 값에서 몇 퍼센트 정도 흔들리고, 학습하면서 조금씩 변합니다.",
  "kernel.formula": "x에서 f의 변화는 마이너스 학습률 곱하기 K(x, x0) 곱하기 오차이고, K는 가중치에 대한 f의 기울기의 내적이다",
};
