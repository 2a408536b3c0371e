// 이야기의 한국어 문구. 키는 `en.ts`와 같아야 한다.

import type { story as en } from "./en";

export const story: Readonly<Record<keyof typeof en, string>> = {
  "app.parts": "구성",
  "app.story": "이야기",
  "app.workbench": "작업대",
  "app.begin": "탄젠트 커널이 처음이라면 이야기부터 읽어 보세요. 직접 움직여 보는 그림과 함께하는 열 단계입니다.",

  "story.steps": "이야기의 단계",
  "story.where": "{all}단계 중 {step}단계",
  "story.previous": "이전",
  "story.next": "다음",
  "story.end": "이야기를 마쳤습니다",
  "story.workbench": "이제 내 사진으로 해 보기",
  "story.try": "이렇게 해 보세요",
  "story.found": "찾았어요:",
  "story.play": "재생",
  "story.stop": "정지",
  "story.point": "점 {i}",
  "story.reset": "처음부터",

  "story.line.name": "직선",
  "story.line.title": "직선 하나를 학습시키면, 행렬 하나가 과정을 다 안다",
  "story.line.lead": "점을 끌어 보세요. 경사 하강법이 직선을 점 쪽으로 돌리는데, 얼마나 빨리 도는지는 행렬 $K$가 미리 알려 줍니다.",
  "story.line.what.1":
    "경사 하강법은 스텝마다 모든 점에 맞추려고 직선을 조금씩 움직입니다. 점 $j$에 맞추려는 움직임은 점 $i$에서의 직선도 $K_{ij}$만큼 움직입니다. 그래서 점에 남은 오차 $r$는 가중치가 전혀 나오지 않는 법칙을 따릅니다.",
  "story.line.what.2":
    "파란 점은 실제로 경사 하강법을 돌린 결과이고, 점선은 학습하기 전에 $K$만으로 계산한 $e^{-Kt}$입니다. 앞으로의 열 단계는 모두 이 문장에서 $K$만 바꾼 것입니다.",
  "story.line.formula": "r의 변화율은 마이너스 K r, K ij는 1 더하기 xi xj, r(t)는 e의 마이너스 Kt 제곱 곱하기 r(0)이다",
  "story.line.try.1": "점 하나를 위아래로 크게 끌면서 행렬을 지켜보세요.",
  "story.line.why.1": "숫자가 하나도 바뀌지 않습니다. $K$에는 점의 위치만 들어 있고 목표값은 들어 있지 않습니다. 그래서 목표값을 모르는 상태에서도 $K$를 알 수 있습니다.",
  "story.line.try.2": "이번에는 옆으로 크게 끌어 보세요. 어느 행이 따라 바뀌나요?",
  "story.line.why.2": "그 점의 행과 열, 곧 $1 + x_i x_j$입니다. 멀리 있는 점일수록 직선을 세게 당기고, 반대쪽 점에는 반대 부호로 작용합니다.",
  "story.line.try.3": "끝까지 재생해 보세요. 직선의 높이와 기울기 중 어느 쪽을 먼저 배우나요?",
  "story.line.why.3": "직선의 가중치는 둘이라 $K$의 고유값도 둘만 0이 아닙니다. 큰 고유값 쪽을 먼저 배우는데, 점의 배치에 따라 높이와 기울기가 섞인 방향입니다. 끝까지 남는 손실은 어떤 직선으로도 배울 수 없는 부분입니다.",
  "story.line.time": "시간",
  "story.line.steps": "경사 하강법 스텝",
  "story.line.loss": "손실",
  "story.line.plot": "점들과 거기에 맞춘 직선",
  "story.line.losses": "스텝에 따른 손실: 실제 학습과 커널의 예측",
  "story.line.kernel": "커널 행렬 K",
  "story.line.trained": "경사 하강법",
  "story.line.foretold": "K로 예측",
  "story.line.said": "손실 {loss}, 예측 {foretold}. K의 고유값은 {fast}와 {slow}, 나머지는 0입니다.",
};
